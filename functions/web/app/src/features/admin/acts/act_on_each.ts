// An act on many objects, one after the other. Each has its result, and the remaining ones can be continued.
import { computed, ref, shallowRef } from 'vue'
import { ApiError, type Failure, failureOf } from '@/api/problem'

export interface ActObject {
  key: string
  name: string
}

/** The result for one object: done, unchanged because there was nothing to do, or refused with this text. */
export interface Outcome {
  state: 'done' | 'skipped' | 'failed'
  text: string
}

export interface ActRow extends ActObject {
  state: 'waiting' | 'running' | Outcome['state']
  text: string
  failure: Failure | null
}

export function useActOnEach(act: (key: string) => Promise<Outcome>) {
  const rows = shallowRef<readonly ActRow[]>([])
  const isRunning = ref(false)
  /** The reason for which it stopped before the end. */
  const stopped = ref<'signed-out' | 'by-user' | null>(null)
  const counts = computed(() => {
    const all = { waiting: 0, running: 0, failed: 0, done: 0, skipped: 0 }
    for (const { state } of rows.value) all[state] += 1
    return all
  })
  const ended = computed(() => counts.value.done + counts.value.skipped + counts.value.failed)

  function set(objects: readonly ActObject[]): void {
    rows.value = objects.map(({ key, name }) => ({ key, name, state: 'waiting', text: '', failure: null }))
    stopped.value = null
  }

  const put = (key: string, changes: Partial<ActRow>) => {
    rows.value = rows.value.map((row) => (row.key === key ? { ...row, ...changes } : row))
  }

  /** Acts on all waiting objects. It stops if the session has ended: the object stays waiting. */
  async function run(): Promise<void> {
    if (isRunning.value) return
    isRunning.value = true
    stopped.value = null
    for (const { key, state } of rows.value) {
      if (state !== 'waiting') continue
      if (stopped.value !== null) break
      put(key, { state: 'running' })
      try {
        put(key, { ...(await act(key)), failure: null })
      } catch (thrown) {
        const failure = failureOf(thrown)
        const isSignedOut = failure instanceof ApiError && failure.status === 401
        put(key, isSignedOut ? { state: 'waiting' } : { state: 'failed', failure })
        if (isSignedOut) stopped.value = 'signed-out'
      }
    }
    isRunning.value = false
  }

  function stop(): void {
    stopped.value = 'by-user'
  }

  /** Acts once more on those that failed. */
  function retryFailed(): Promise<void> {
    rows.value = rows.value.map((row) => (row.state === 'failed' ? { ...row, state: 'waiting', text: '', failure: null } : row))
    return run()
  }

  return { rows, isRunning, stopped, counts, ended, set, run, stop, retryFailed }
}
