// Trusted Types: the policy by which this application names its one worker script.

interface TrustedTypes {
  createPolicy(name: string, rules: { createScriptURL(url: string): string }): { createScriptURL(url: string): string }
}

/** Returns the address of a script of this service; throws for one of another origin. */
function ownScript(url: string): string {
  if (new URL(url).origin !== location.origin) throw new TypeError(`not a script of this service: ${url}`)
  return url
}

const { trustedTypes } = globalThis as { trustedTypes?: TrustedTypes }
const policy = trustedTypes?.createPolicy('messenger', { createScriptURL: ownScript }) ?? { createScriptURL: ownScript }

/** Returns the address in the form that `new SharedWorker` takes. */
export const scriptUrl = (url: URL): string => policy.createScriptURL(url.href)
