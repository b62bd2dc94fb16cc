// The messages that a search finds, page by page. A new text ends the request for the one before.
import { computed, onScopeDispose, ref, shallowRef, watch } from 'vue'
import { searchMessages } from '@/api/calls'
import { type Failure, failureOf } from '@/api/problem'
import type { FoundMessage } from '@/api/types'
import { isSearchable } from '@/composables/typed_query'

const PAGE = 20
/** The most pages to read until one has a message: a page may be empty although another one follows. */
const PAGES = 10

export function useFoundMessages(wanted: () => { text: string; room: string }) {
  const messages = shallowRef<readonly FoundMessage[]>([])
  const next = ref<number | null>(null)
  const isLoading = ref(false)
  const failure = shallowRef<Failure | null>(null)
  const isLongEnough = computed(() => isSearchable(wanted().text))
  let request = new AbortController()

  async function load(before: number | null): Promise<void> {
    request.abort()
    const { signal } = (request = new AbortController())
    isLoading.value = true
    failure.value = null
    try {
      const { text, room } = wanted()
      const query = { q: text, limit: PAGE, ...(room === '' ? {} : { room_id: room }) }
      let page = await searchMessages({ ...query, ...(before === null ? {} : { before }) }, signal)
      for (let count = 1; page.messages.length === 0 && page.next_before !== null && count < PAGES; count += 1) page = await searchMessages({ ...query, before: page.next_before }, signal)
      messages.value = before === null ? page.messages : [...messages.value, ...page.messages]
      next.value = page.next_before
    } catch (thrown) {
      if (!signal.aborted) failure.value = failureOf(thrown)
    } finally {
      if (!signal.aborted) isLoading.value = false
    }
  }

  const reload = () => load(null)
  watch(
    () => JSON.stringify(wanted()),
    () => {
      request.abort()
      messages.value = []
      next.value = null
      failure.value = null
      isLoading.value = false
      if (isLongEnough.value) void reload()
    },
    { immediate: true },
  )
  onScopeDispose(() => request.abort())
  return { messages, isLoading, failure, isLongEnough, hasMore: computed(() => next.value !== null), reload, loadMore: () => load(next.value) }
}
