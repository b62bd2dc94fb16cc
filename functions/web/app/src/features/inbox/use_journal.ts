// The journal of an alarm, page by page. It is read again when the alarm changes, at most once in a while.
import { useThrottleFn } from '@vueuse/core'
import { computed, onScopeDispose, ref, shallowRef, watch } from 'vue'
import { alarmJournal } from '@/api/alarms'
import { type Failure, failureOf } from '@/api/problem'
import type { AlarmJournalEntry } from '@/api/types'

/** The least time between two readings because of events, in milliseconds. */
const AGAIN = 2_000

export function useJournal(id: () => number, revision: () => number | undefined) {
  const newest = shallowRef<readonly AlarmJournalEntry[]>([])
  const older = shallowRef<readonly AlarmJournalEntry[]>([])
  const next = ref<string | null>(null)
  const isLoaded = ref(false)
  const isLoading = ref(false)
  const failure = shallowRef<Failure | null>(null)
  let request = Symbol('journal')

  /** Reads a page, and drops the answer of an earlier request. */
  async function read(cursor: string | null, take: (entries: AlarmJournalEntry[], next: string | null) => void): Promise<void> {
    const current = (request = Symbol('journal'))
    isLoading.value = true
    failure.value = null
    try {
      const { entries, next_cursor } = await alarmJournal(id(), cursor)
      if (request !== current) return
      take(entries, next_cursor)
      isLoaded.value = true
    } catch (thrown) {
      const refusal = failureOf(thrown)
      if (request === current) failure.value = refusal
    } finally {
      if (request === current) isLoading.value = false
    }
  }

  /** Reads the newest page. Older pages end: there may be new entries between them and this one. */
  const reload = () =>
    read(null, (entries, cursor) => {
      newest.value = entries
      older.value = []
      next.value = cursor
    })
  const loadOlder = () =>
    read(next.value, (entries, cursor) => {
      older.value = [...older.value, ...entries]
      next.value = cursor
    })

  const reloadSoon = useThrottleFn(() => void reload(), AGAIN, true)
  watch(
    id,
    () => {
      newest.value = older.value = []
      next.value = null
      isLoaded.value = false
      void reload()
    },
    { immediate: true },
  )
  // A reader of older pages keeps them.
  watch(revision, (now, before) => now !== before && older.value.length === 0 && void reloadSoon())
  onScopeDispose(() => (request = Symbol('over')))
  return { entries: computed(() => [...newest.value, ...older.value]), isLoaded, isLoading, failure, hasMore: computed(() => next.value !== null), reload, loadOlder }
}
