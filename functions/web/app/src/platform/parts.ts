// Parts of the application that are loaded later: in idle time after the start, or as soon as they are needed.

type Load = () => Promise<unknown>

/** Parts that are not loaded yet. */
const waiting: Load[] = []
let isRunning = false
let isLoading = false

/** Registers a part to be loaded in idle time, and returns its loader. */
export function later<T>(load: () => Promise<T>): () => Promise<T> {
  waiting.push(load)
  return load
}

/** Returns whether a part is being loaded in idle time: nobody waits for it. */
export const isLoadingPart = (): boolean => isLoading

/** Loads all parts in idle time, so that they work without a network. A failure ends it until the next call. */
export async function loadParts(): Promise<void> {
  if (isRunning) return
  isRunning = true
  try {
    // A part may register others.
    for (let load = waiting[0]; load !== undefined; load = waiting[0]) {
      await idle()
      isLoading = true
      await load()
      isLoading = false
      waiting.shift()
    }
  } catch {
    // The network is away: the rest follows with the next connection.
  } finally {
    isRunning = isLoading = false
  }
}

/** Waits until the page has nothing to do, ten seconds at most; Safari does not tell. */
function idle(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof requestIdleCallback === 'function') requestIdleCallback(() => resolve(), { timeout: 10_000 })
    else setTimeout(resolve, 500)
  })
}
