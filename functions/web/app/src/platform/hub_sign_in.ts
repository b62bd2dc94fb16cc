// The parameters that the Hub puts into the address. They are taken off before anything can log or keep them.

export interface HubSignIn {
  /** The token of `?hub_token=`; `null` without one. */
  token: string | null
  /** Whether the Hub sent a code in place of it (`?hub_code=`), which this service has no way to exchange. */
  hasCode: boolean
}

/** Returns the address without what the Hub put there, and that. */
export function parseHubSignIn(href: string): HubSignIn & { rest: URL } {
  const rest = new URL(href)
  const token = rest.searchParams.get('hub_token')?.trim() ?? ''
  const hasCode = rest.searchParams.has('hub_code')
  rest.searchParams.delete('hub_token')
  rest.searchParams.delete('hub_code')
  return { token: token === '' ? null : token, hasCode, rest }
}

/** Returns what the Hub sent, and removes it from the address and the history. */
export function takeHubSignIn(): HubSignIn {
  const { rest, ...sent } = parseHubSignIn(location.href)
  if (rest.href !== location.href) history.replaceState(history.state, '', rest)
  return sent
}
