// A page whose build the service no longer has: a part that it loads later is 404. It is loaded again, once.

const KEY = 'messenger.reloaded'
/** The time within which a second failure is no reason to load the page again, in milliseconds. */
const ONCE = 60_000

/** Returns whether the page may be loaded again. Without storage it may not: the reloads would never end. */
export function mayReload(storage: () => Pick<Storage, 'getItem' | 'setItem'>, now: number): boolean {
  try {
    const last = Number(storage().getItem(KEY) ?? Number.NEGATIVE_INFINITY)
    if (now - last < ONCE) return false
    storage().setItem(KEY, String(now))
    return true
  } catch {
    return false
  }
}

export function reloadOnStaleBuild(): void {
  addEventListener('vite:preloadError', (event) => {
    if (!mayReload(() => sessionStorage, Date.now())) return
    event.preventDefault()
    location.reload()
  })
}
