// The sign-in: exchanges a token or code of the Hub for a token of the service, and reads its user.
import type { HubSignIn } from '@/platform/hub_sign_in'
import { tab } from '@/platform/storage'
import { beginSession, clientConfig, hubLogin, me, rooms } from './calls'
import { setToken } from './client'
import type { ClientConfig, Me, Room } from './types'

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
  /** Their rooms; `null` without a token, or if the call failed. */
  rooms: Promise<Room[] | null>
}

/** Signs in with the token or code of the Hub, else with the token of this tab. */
export function beginSignIn({ token, code }: HubSignIn): EarlySignIn {
  const config = clientConfig().catch(() => null)
  const tokens = tokenOf(token, code, tab.get(TOKEN))
  const identity = tokens?.then(identityOf) ?? null
  // The application handles the failure once it is there.
  identity?.catch(() => {})
  const list = tokens?.then(() => rooms()).catch(() => null) ?? Promise.resolve(null)
  return { config, identity, rooms: list }
}

function tokenOf(token: string | null, code: string | null, known: string | null): Promise<string> | null {
  if (token !== null) return tokenFor({ hub_token: token })
  if (code !== null) return tokenFor({ hub_code: code })
  return known === null ? null : Promise.resolve(known)
}

const tokenFor = async (hub: Parameters<typeof hubLogin>[0]): Promise<string> => (await hubLogin(hub)).access_token

/** Exchanges a token or a code of the Hub. Throws a `Failure`. */
export const exchange = async (hub: Parameters<typeof hubLogin>[0]): Promise<Identity> => identityOf(await tokenFor(hub))

/** Uses a token of the service from now on, and returns it with its user. Throws a `Failure`. */
export async function identityOf(token: string): Promise<Identity> {
  setToken(token)
  // Pictures and files are loaded by cookie: without it the page works, but shows none.
  const [user] = await Promise.all([me(), beginSession().catch(() => null)])
  return { token, user }
}
