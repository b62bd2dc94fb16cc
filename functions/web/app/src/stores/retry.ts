// Repeated calls: the pauses between their attempts, and a call that is repeated until the service has taken or refused
// it.
import { ApiError, failureOf, NoAnswer } from '@/api/problem'

/** The first pause before another attempt, and the longest, in milliseconds. */
const PAUSE = 1_000
const PAUSE_MAX = 30_000

/** Growing pauses between attempts, with chance in them, so that clients that failed together do not repeat together. */
export class Backoff {
  #pause = PAUSE
  #end: (() => void) | null = null

  /** Begins with the first pause again. */
  reset(): void {
    this.#pause = PAUSE
  }

  /** Waits for the next attempt, for at least these milliseconds. */
  wait(least: number): Promise<void> {
    const length = Math.max(least, this.#pause * (0.5 + Math.random() / 2))
    this.#pause = Math.min(this.#pause * 2, PAUSE_MAX)
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer)
        this.#end = null
        resolve()
      }
      const timer = setTimeout(done, length)
      this.#end = done
    })
  }

  /** Ends the present pause. */
  end(): void {
    this.#end?.()
  }
}

export interface RepeatedCall {
  /** Makes the call. While it is being made or waits for its next attempt, it is made once more afterwards. */
  begin(): void
  /** Ends the pause before the next attempt, for a new connection. */
  retryNow(): void
}

/** Returns the repetition of a call. A refused token ends it: the next sign-in begins again. */
export function untilTaken(call: () => Promise<unknown>): RepeatedCall {
  const backoff = new Backoff()
  let isRunning = false
  let isWanted = false

  async function run(): Promise<void> {
    isRunning = true
    backoff.reset()
    try {
      while (isWanted) {
        isWanted = false
        const wait = await attempt()
        if (wait === null) continue
        isWanted = true
        await backoff.wait(wait)
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

  return {
    begin() {
      isWanted = true
      if (!isRunning) void run()
    },
    retryNow: () => backoff.end(),
  }
}
