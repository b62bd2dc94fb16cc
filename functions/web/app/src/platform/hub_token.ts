// The token that the Hub puts into the address: `?hub_token=`. It is taken off before anything can log or keep it.

/** Returns the token in the address, and removes it from there and from the history. */
export function takeHubToken(): string | null {
  const address = new URL(location.href)
  const token = address.searchParams.get('hub_token')
  if (token === null) return null
  address.searchParams.delete('hub_token')
  history.replaceState(history.state, '', address)
  return token.trim() === '' ? null : token.trim()
}
