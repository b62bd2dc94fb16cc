// The signed-in user of this tab. One browser has one user: tabs learn when another one signs a user in.
import { defineStore } from 'pinia'
import { computed, ref, shallowRef } from 'vue'
import { endSession, me as fetchMe } from '@/api/calls'
import { onUnauthorized, setToken } from '@/api/client'
import { ApiError, failureOf } from '@/api/problem'
import { type EarlySignIn, exchange, type Identity, identityOf, TOKEN } from '@/api/sign_in'
import type { ClientConfig, Me } from '@/api/types'
import { UserDatabase } from '@/platform/database'
import { openSessionChannel } from '@/platform/session_channel'
import { tab } from '@/platform/storage'

/**
 * The reason why no user is signed in: a code of the service, or `signed_out`, `no_token`, `no_answer`,
 * `other_user`.
 */
export type Reason = string

/** Refusals after which nothing may stay on the page: an administrator has logged the user out, or they have moved. */
const WITHDRAWN = new Set(['token_revoked', 'token_superseded'])

export const useSession = defineStore('session', () => {
  const status = ref<'starting' | 'signed-in' | 'signed-out'>('starting')
  const reason = ref<Reason>('no_token')
  /** Whether the service refused the token of the signed-in user: their input stays on the page. */
  const isExpired = ref(false)
  const me = shallowRef<Me | null>(null)
  const token = shallowRef<string | null>(null)
  const config = shallowRef<ClientConfig | null>(null)
  const database = shallowRef<UserDatabase | null>(null)
  const isMemoryOnly = ref(false)
  const key = computed(() => (me.value === null ? '' : `${tenantOf(token.value)}:${me.value.hub_user_id}`))
  const isReader = computed(() => me.value?.role === 'viewer')

  const channel = openSessionChannel({
    current: () => (status.value === 'signed-in' && !isExpired.value && token.value !== null ? { token: token.value, user: key.value } : null),
    onSignedIn: ({ user, token: fresh }) => {
      // A user whom the administration had logged out has signed in again.
      if (status.value === 'signed-out' && WITHDRAWN.has(reason.value) && user === key.value) return startAgain(fresh)
      if (status.value !== 'signed-in') return
      if (user !== key.value) end('other_user')
      else if (isExpired.value) accept(fresh)
    },
    onSignedOut: (user) => user === key.value && end('signed_out'),
  })

  onUnauthorized(({ code }) => {
    if (status.value !== 'signed-in') return
    // Drafts and the outbox stay on the device, for the next sign-in of the same user.
    if (WITHDRAWN.has(code)) return end(code)
    isExpired.value = true
    reason.value = code
  })

  /** Continues the early sign-in. If there is none, signs in with the token of another tab. */
  async function start(early: EarlySignIn): Promise<void> {
    const configured = early.config.then((answer) => (config.value = answer))
    if (early.identity !== null) return enter(early.identity, configured)
    const other = await channel.ask()
    if (other !== null) return enter(identityOf(other), configured)
    await configured
    end('no_token')
  }

  /** Exchanges a token or a code of the Hub for a token of the service, and signs its user in. */
  const signIn = (hub: Parameters<typeof exchange>[0]): Promise<void> => enter(exchange(hub))

  async function enter(identity: Promise<Identity>, configured: Promise<unknown> = Promise.resolve()): Promise<void> {
    try {
      const [{ token: known, user }] = await Promise.all([identity, configured])
      const isOther = me.value !== null && (me.value.hub_user_id !== user.hub_user_id || tenantOf(token.value) !== tenantOf(known))
      if (isOther || (me.value !== null && status.value === 'signed-out')) return startAgain(known)
      token.value = known
      me.value = user
      database.value ??= new UserDatabase(`messenger ${key.value}`, () => (isMemoryOnly.value = true))
      accept(known)
      channel.signedIn({ token: known, user: key.value })
    } catch (thrown) {
      refuse(thrown)
    }
  }

  /** Loads the page anew, so that no data of an earlier sign-in stays on it. */
  function startAgain(known: string): void {
    tab.set(TOKEN, known)
    location.reload()
  }

  function accept(fresh: string): void {
    setToken(fresh)
    token.value = fresh
    tab.set(TOKEN, fresh)
    status.value = 'signed-in'
    isExpired.value = false
  }

  function refuse(thrown: unknown): void {
    const failure = failureOf(thrown)
    // A user who signs in again keeps the page, even after a failure.
    if (status.value === 'signed-in') {
      isExpired.value = true
      return setToken(token.value)
    }
    if (failure instanceof ApiError && failure.status === 401) tab.remove(TOKEN)
    end(failure instanceof ApiError ? failure.code : 'no_answer')
  }

  function end(why: Reason): void {
    if (why === 'signed_out' || why === 'other_user') tab.remove(TOKEN)
    if (why === 'signed_out') database.value = null
    setToken(null)
    reason.value = why
    isExpired.value = false
    status.value = 'signed-out'
  }

  /** Asks the service whether the token is valid, and other tabs for a newer one. */
  async function check(): Promise<void> {
    const other = await channel.ask()
    if (other !== null && other !== token.value) return enter(identityOf(other))
    const user = await fetchMe().catch(() => null)
    if (user !== null && token.value !== null) accept(token.value)
  }

  /** Signs the user out in all tabs, and deletes their data on this machine. */
  async function signOut(): Promise<void> {
    const kept = database.value
    channel.signedOut(key.value)
    await endSession().catch(() => null)
    end('signed_out')
    await kept?.delete()
  }

  return { status, reason, isExpired, me, token, key, config, database, isMemoryOnly, isReader, start, signIn, check, signOut }
})

/** Returns the tenant in a token of the service: a part of the names of the stored data. */
function tenantOf(token: string | null): string {
  try {
    const [, claims = ''] = (token ?? '').split('.')
    const parsed = JSON.parse(atob(claims.replaceAll('-', '+').replaceAll('_', '/'))) as { tenant_id?: unknown }
    return String(parsed.tenant_id ?? '')
  } catch {
    return ''
  }
}
