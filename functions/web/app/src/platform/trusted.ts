// Trusted Types: the policy by which this application names its one worker script, and reads HTML of others.

interface Policy {
  createScriptURL(url: string): string
  createHTML(html: string): string
}

interface TrustedTypes {
  createPolicy(name: string, rules: Policy): Policy
}

/** Returns the address of a script of this service; throws for one of another origin. */
function ownScript(url: string): string {
  if (new URL(url).origin !== location.origin) throw new TypeError(`not a script of this service: ${url}`)
  return url
}

const { trustedTypes } = globalThis as { trustedTypes?: TrustedTypes }
// HTML of others goes into a document of its own, which runs and loads nothing, and from there by an allow-list.
const rules: Policy = { createScriptURL: ownScript, createHTML: (html) => html }
const policy = trustedTypes?.createPolicy('messenger', rules) ?? rules

/** Returns the address in the form that `new SharedWorker` takes. */
export const scriptUrl = (url: URL): string => policy.createScriptURL(url.href)

/** Returns the content of HTML of others. Nothing of it has run or been loaded; what of it is shown is for the caller to decide. */
export const inertContent = (html: string): HTMLElement => new DOMParser().parseFromString(policy.createHTML(html), 'text/html').body
