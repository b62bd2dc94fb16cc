// The parameters that the Hub puts into the address, removed before other code can log or store them.

export interface HubSignIn {
  /** The token of `?hub_token=`; `null` without one. */
  token: string | null
  /** The code of `?hub_code=`, which the Hub exchanges for a token; `null` without one. */
  code: string | null
}

/** Returns the address without the Hub's parameters, and the parameters. */
export function parseHubSignIn(href: string): HubSignIn & { rest: URL } {
  const rest = new URL(href)
  const take = (name: string): string | null => {
    const value = rest.searchParams.get(name)?.trim() ?? ''
    rest.searchParams.delete(name)
    return value === '' ? null : value
  }
  return { token: take('hub_token'), code: take('hub_code'), rest }
}

/** Returns the Hub's parameters, and removes them from the address and the history. */
export function takeHubSignIn(): HubSignIn {
  const { rest, ...sent } = parseHubSignIn(location.href)
  if (rest.href !== location.href) history.replaceState(history.state, '', rest)
  return sent
}
