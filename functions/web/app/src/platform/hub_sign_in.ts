// The parameters that the Hub puts into the address. They are taken off before anything can log or keep them.

export interface HubSignIn {
  /** The token of `?hub_token=`; `null` without one. */
  token: string | null
  /** The code of `?hub_code=`, which the Hub exchanges for a token; `null` without one. */
  code: string | null
}

/** Returns the address without what the Hub put there, and that. */
export function parseHubSignIn(href: string): HubSignIn & { rest: URL } {
  const rest = new URL(href)
  const take = (name: string): string | null => {
    const value = rest.searchParams.get(name)?.trim() ?? ''
    rest.searchParams.delete(name)
    return value === '' ? null : value
  }
  return { token: take('hub_token'), code: take('hub_code'), rest }
}

/** Returns what the Hub sent, and removes it from the address and the history. */
export function takeHubSignIn(): HubSignIn {
  const { rest, ...sent } = parseHubSignIn(location.href)
  if (rest.href !== location.href) history.replaceState(history.state, '', rest)
  return sent
}
