// The signed-in user of this tab. One browser has one user: tabs learn when another one signs a user in.
import { defineStore } from 'pinia'
import { computed, ref, shallowRef } from 'vue'
import { beginSession, clientConfig, endSession, hubLogin, me as fetchMe } from '@/api/calls'
import { setListeners, setToken } from '@/api/client'
import { ApiError, failureOf } from '@/api/problem'
import type { ClientConfig, Me } from '@/api/types'
import { setServerTime } from '@/platform/clock'
import { UserDatabase } from '@/platform/database'
import type { HubSignIn } from '@/platform/hub_sign_in'
import { openSessionChannel } from '@/platform/session_channel'
import { tab } from '@/platform/storage'

const TOKEN = 'messenger.token'

/**
 * The reason why no user is signed in: a code of the service, or `signed_out`, `no_token`, `no_answer`,
 * `other_user`.
 */
export type Reason = string

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
      if (status.value !== 'signed-in') return
      if (user !== key.value) end('other_user')
      else if (isExpired.value) accept(fresh)
    },
    onSignedOut: (user) => user === key.value && end('signed_out'),
  })

  setListeners({
    serverTime: setServerTime,
    unauthorized(error) {
      if (status.value !== 'signed-in') return
      isExpired.value = true
      reason.value = error.code
    },
  })

  /** Starts with the token or code of the Hub, else with the token of this tab or of another one. */
  async function start(hub: HubSignIn): Promise<void> {
    config.value = await clientConfig().catch(() => null)
    if (hub.token !== null) return signIn({ hub_token: hub.token })
    if (hub.code !== null) return signIn({ hub_code: hub.code })
    const known = tab.get(TOKEN) ?? (await channel.ask())
    if (known === null) end('no_token')
    else await resume(known)
  }

  /** Exchanges a token or a code of the Hub for a token of the service, and signs its user in. */
  async function signIn(hub: Parameters<typeof hubLogin>[0]): Promise<void> {
    try {
      await resume((await hubLogin(hub)).access_token)
    } catch (thrown) {
      refuse(thrown)
    }
  }

  async function resume(known: string): Promise<void> {
    setToken(known)
    try {
      const user = await fetchMe()
      // Pictures and files are loaded by cookie: without it the page works, but does not show them.
      await beginSession().catch(() => null)
      if (me.value !== null && me.value.hub_user_id !== user.hub_user_id) {
        // No data of the previous user stays on the page.
        tab.set(TOKEN, known)
        return location.reload()
      }
      token.value = known
      me.value = user
      database.value ??= new UserDatabase(`messenger ${key.value}`, () => (isMemoryOnly.value = true))
      accept(known)
      channel.signedIn({ token: known, user: key.value })
    } catch (thrown) {
      refuse(thrown)
    }
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
    status.value = 'signed-out'
  }

  /** Asks the service whether the token is valid, and other tabs for a newer one. */
  async function check(): Promise<void> {
    const other = await channel.ask()
    if (other !== null && other !== token.value) return resume(other)
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
