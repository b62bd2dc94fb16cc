// Parts of the page that cannot be loaded: the network is away, or the service has another build by now. Only another
// build is a reason to load the page again: without a network nothing would be left of it.
import { base } from './address'
import { isLoadingPart } from './parts'

const KEY = 'messenger.reloaded'
/** The time within which a second failure is no reason to load the page again, in milliseconds. */
const ONCE = 60_000
/** The longest wait for the page of the service, in milliseconds. */
const WAIT = 5_000

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

/** Returns whether a page is that of another build than these scripts; `false` for a page that is not ours. */
export function isOtherBuild(page: string, scripts: readonly string[]): boolean {
  const named = [...page.matchAll(/assets\/[\w.-]+\.js/g)].map(([path]) => path)
  return named.length > 0 && !scripts.every((script) => named.some((path) => script.endsWith(path)))
}

/** `offline`: the service does not answer. `failed`: it answers, and the next attempt may succeed. */
export type Missing = 'offline' | 'failed'

/** Loads the page again if a part is missing since the service has another build; otherwise reports the reason. */
export function watchMissingParts(report: (reason: Missing) => void): void {
  let failures = 0
  addEventListener('vite:preloadError', () => {
    if (isLoadingPart()) return
    void pageOfService().then((page) => {
      failures += 1
      if (page === null) return report('offline')
      // Some browsers keep the failure of a part until the page is loaded again.
      const isReason = isOtherBuild(page, ownScripts()) || failures > 1
      if (isReason && mayReload(() => sessionStorage, Date.now())) location.reload()
      else report('failed')
    })
  })
}

const ownScripts = (): string[] => [...document.querySelectorAll<HTMLScriptElement>('script[type=module][src*="assets/"]')].map(({ src }) => src)

/** Returns the page as the service sends it now; `null` if it does not answer. */
async function pageOfService(): Promise<string | null> {
  try {
    const answer = await fetch(`${base}/`, { headers: { accept: 'text/html' }, cache: 'no-store', signal: AbortSignal.timeout(WAIT) })
    return answer.ok ? await answer.text() : null
  } catch {
    return null
  }
}
