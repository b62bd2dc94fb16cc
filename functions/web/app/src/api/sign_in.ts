// The sign-in: exchanges a token or code of the Hub for a token of the service, and reads its user.
import type { HubSignIn } from '@/platform/hub_sign_in'
import { tab } from '@/platform/storage'
import { beginSession, clientConfig, hubLogin, me } from './calls'
import { setToken } from './client'
import type { ClientConfig, Me } from './types'

/** The key of the token in the storage of the tab. */
export const TOKEN = 'messenger.token'

/** A token of the service, and its user. */
export interface Identity {
  token: string
  user: Me
}

/** The calls of a sign-in that runs while the browser loads the application. */
export interface EarlySignIn {
  /** `null` if the service did not answer. */
  config: Promise<ClientConfig | null>
  /** Rejects with a `Failure`; `null` if neither the Hub nor this tab has a token. */
  identity: Promise<Identity> | null
}

/** Signs in with the token or code of the Hub, else with the token of this tab. */
export function beginSignIn({ token, code }: HubSignIn): EarlySignIn {
  const config = clientConfig().catch(() => null)
  const known = tab.get(TOKEN)
  let identity: Promise<Identity> | null = null
  if (token !== null) identity = exchange({ hub_token: token })
  else if (code !== null) identity = exchange({ hub_code: code })
  else if (known !== null) identity = identityOf(known)
  // The application handles the failure once it is there.
  identity?.catch(() => {})
  return { config, identity }
}

/** Exchanges a token or a code of the Hub. Throws a `Failure`. */
export async function exchange(hub: Parameters<typeof hubLogin>[0]): Promise<Identity> {
  return identityOf((await hubLogin(hub)).access_token)
}

/** Uses a token of the service from now on, and returns it with its user. Throws a `Failure`. */
export async function identityOf(token: string): Promise<Identity> {
  setToken(token)
  // Pictures and files are loaded by cookie: without it the page works, but shows none.
  const [user] = await Promise.all([me(), beginSession().catch(() => null)])
  return { token, user }
}
