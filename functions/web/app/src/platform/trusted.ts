// Trusted Types: the policy for the worker script of this application, and for HTML of other users.

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
// HTML of other users is parsed into a document that runs and loads nothing, and filtered by an allow-list.
const rules: Policy = { createScriptURL: ownScript, createHTML: (html) => html }
const policy = trustedTypes?.createPolicy('messenger', rules) ?? rules

/** Returns the address in the form that `new SharedWorker` takes. */
export const scriptUrl = (url: URL): string => policy.createScriptURL(url.href)

/** Returns the content of HTML of other users, of which nothing has run. The caller decides what to show. */
export const inertContent = (html: string): HTMLElement => new DOMParser().parseFromString(policy.createHTML(html), 'text/html').body
