// The call of a form or a button: its progress and its failure.
import { ref, shallowRef } from 'vue'
import { type Failure, failureOf } from '@/api/problem'

export function useCall() {
  const isBusy = ref(false)
  const failure = shallowRef<Failure | null>(null)

  /** Runs the call. Its failure is shown until the next one. */
  async function call(run: () => Promise<unknown>): Promise<void> {
    isBusy.value = true
    failure.value = null
    try {
      await run()
    } catch (thrown) {
      failure.value = failureOf(thrown)
    } finally {
      isBusy.value = false
    }
  }

  return { isBusy, failure, call }
}
