// A call that is repeated until the service has taken or refused it, with growing pauses and those that it asks for.
import { ApiError, failureOf, NoAnswer } from '@/api/problem'

/** The first pause before another attempt, and the longest, in milliseconds. */
const PAUSE = 1_000
const PAUSE_MAX = 30_000

export interface RepeatedCall {
  /** Makes the call. While it is being made or waits for its next attempt, it is made once more afterwards. */
  begin(): void
  /** Ends the pause before the next attempt, for a new connection. */
  retryNow(): void
}

/** Returns the repetition of a call. A refused token ends it: the next sign-in begins again. */
export function untilTaken(call: () => Promise<unknown>): RepeatedCall {
  let isRunning = false
  let isWanted = false
  let endPause: (() => void) | null = null

  async function run(): Promise<void> {
    isRunning = true
    try {
      for (let pause = PAUSE; isWanted; ) {
        isWanted = false
        const wait = await attempt()
        if (wait === null) continue
        isWanted = true
        await sleep(Math.max(wait, pause * (0.5 + Math.random() / 2)))
        pause = Math.min(pause * 2, PAUSE_MAX)
      }
    } finally {
      isRunning = false
    }
  }

  /** Returns the least pause before the next attempt; `null` if none follows. */
  async function attempt(): Promise<number | null> {
    try {
      await call()
      return null
    } catch (thrown) {
      const failure = failureOf(thrown)
      if (failure instanceof NoAnswer) return 0
      return failure instanceof ApiError && failure.isTemporary ? (failure.retryAfter ?? 0) * 1000 : null
    }
  }

  function sleep(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(done, milliseconds)
      function done(): void {
        clearTimeout(timer)
        endPause = null
        resolve()
      }
      endPause = done
    })
  }

  return {
    begin() {
      isWanted = true
      if (!isRunning) void run()
    },
    retryNow: () => endPause?.(),
  }
}
