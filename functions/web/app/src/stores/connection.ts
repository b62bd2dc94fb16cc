// The state of the feed for the user: live, polling, or disconnected since a time.
import { defineStore } from 'pinia'
import { computed, shallowRef } from 'vue'
import type { FeedState } from '@/feed/protocol'

export const useConnection = defineStore('connection', () => {
  const feed = shallowRef<FeedState>({ name: 'connecting', since: new Date(), reason: 'started' })
  /** `connecting` is shown as connected at first: the banner has a delay of its own. */
  const isUp = computed(() => feed.value.name === 'live' || feed.value.name === 'polling')
  const since = computed(() => new Date(feed.value.since))

  function set(state: FeedState): void {
    feed.value = state
  }

  return { feed, isUp, since, set }
})
