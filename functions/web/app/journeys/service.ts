// The service as satellites and other users call it beside the pages.
import { createHmac, randomBytes } from 'node:crypto'
import { type Browser, type BrowserContext, expect, type Page, test } from '@playwright/test'

export const url = process.env.MESSENGER_URL ?? 'http://127.0.0.1:8000'
const serviceToken = process.env.MESSENGER_SERVICE_TOKEN ?? 'messenger-service-token-dev'

/** A mark of this run in names: the service may have data of an earlier run. */
export const run = randomBytes(2).toString('hex')

const contexts: BrowserContext[] = []
// An open page holds a stream, and a user has a limited number of them.
test.afterEach(async () => {
  await Promise.all(contexts.splice(0).map((context) => context.close()))
})

async function json<T>(path: string, init: RequestInit = {}): Promise<T> {
  const answer = await fetch(url + path, init)
  const text = await answer.text()
  if (!answer.ok) throw new Error(`${init.method ?? 'GET'} ${path}: ${answer.status} ${text}`)
  return (text === '' ? null : JSON.parse(text)) as T
}

const post = (body: unknown, headers: Record<string, string> = {}): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': 'application/json', ...headers },
  body: JSON.stringify(body),
})

/** Sends a notification, as a satellite does. */
export const notify = (fields: Record<string, unknown>): Promise<{ id: number; matrix_room_id: string }> =>
  json('/api/v1/notifications/send', post({ source_app: 'fertigungs-app', event_type: 'e', ...fields }, { 'x-service-token': serviceToken }))

/** Reports a fault that somebody has to acknowledge, as a satellite does. */
export const alarm = (fields: { dedup_key: string; title: string } & Record<string, unknown>): Promise<{ id: number; matrix_room_id: string; alarm: { id: number } }> =>
  json('/api/v1/notifications/send', post({ source_app: 'fertigungs-app', event_type: 'alarm', ack_required: true, ...fields }, { 'x-service-token': serviceToken }))

/** Returns a token of the Hub for a seeded user. */
export const hubToken = async (user: string): Promise<string> =>
  (await json<{ hub_token: string }>('/auth/development', post({ hub_user_id: user }))).hub_token

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** Returns a token of the Hub for any user, signed with the development key. */
export function tokenFor(sub: string, role: string, tenant_id: number, display_name = sub): string {
  const now = Math.floor(Date.now() / 1000)
  const claims = { iss: 'aesystek-hub', sub, role, tenant_id, display_name, iat: now, exp: now + 3600 }
  const text = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`
  return `${text}.${createHmac('sha256', process.env.HUB_SECRET_KEY ?? 'hub-dev-secret').update(text).digest('base64url')}`
}

/** Calls the homeserver as its client, or as the bot of the service. */
export const homeserver = async <T>(address: string, path: string, body: unknown, token?: string, method = 'POST'): Promise<{ status: number; body: T }> => {
  const headers = { 'content-type': 'application/json', ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) }
  const answer = await fetch(address.replace(/\/$/, '') + path, { method, headers, ...(method === 'GET' ? {} : { body: JSON.stringify(body) }) })
  return { status: answer.status, body: (await answer.json()) as T }
}

/** A seeded user who calls the interface without a page. */
export class Person {
  private constructor(private readonly token: string) {}

  static async of(user: string): Promise<Person> {
    return Person.with(await hubToken(user))
  }

  /** Signs a user in with a token of the Hub. */
  static async with(token: string): Promise<Person> {
    const person = new Person(token)
    await person.get('/api/v1/users/me')
    return person
  }

  get<T>(path: string): Promise<T> {
    return json(path, { headers: { authorization: `Bearer ${this.token}` } })
  }

  post<T>(path: string, body: unknown = {}): Promise<T> {
    return json(path, post(body, { authorization: `Bearer ${this.token}` }))
  }

  patch<T>(path: string, body: unknown): Promise<T> {
    return json(path, { ...post(body, { authorization: `Bearer ${this.token}` }), method: 'PATCH' })
  }

  delete<T>(path: string): Promise<T> {
    return json(path, { method: 'DELETE', headers: { authorization: `Bearer ${this.token}` } })
  }

  /** Waits until the worker has made this person a member of the general room. Returns its id. */
  async general(): Promise<string> {
    let id: string | undefined
    const find = async () => {
      const { rooms } = await this.get<{ rooms: { matrix_room_id: string; room_type: string }[] }>('/api/v1/rooms')
      id = rooms.find(({ room_type }) => room_type === 'general')?.matrix_room_id
      return id
    }
    await expect.poll(find, { timeout: 60_000 }).toBeDefined()
    return id ?? ''
  }

  /** Creates a room with users, whom this creates if needed. Returns its id. */
  async room(name: string, invite_users: string[] = []): Promise<string> {
    await Promise.all(invite_users.map((user) => Person.of(user)))
    return (await this.post<{ matrix_room_id: string }>('/api/v1/rooms', { name, invite_users })).matrix_room_id
  }

  send(room_id: string, body: string, more: Record<string, unknown> = {}): Promise<{ event_id: string }> {
    return this.post('/api/v1/messages/send', { room_id, body, ...more })
  }

  async react(room: string, event: string, key: string): Promise<void> {
    await this.post(`/api/v1/messages/${encodeURIComponent(room)}/${encodeURIComponent(event)}/reactions`, { key })
  }

  /** Returns the texts of a room, oldest first. */
  async texts(room: string): Promise<string[]> {
    const texts: string[] = []
    for (let from = ''; ; ) {
      const page = await this.get<{ messages: { body: string }[]; end_token: string | null; has_more: boolean }>(
        `/api/v1/messages/history/${encodeURIComponent(room)}?limit=200${from}`,
      )
      texts.unshift(...page.messages.toReversed().map(({ body }) => body))
      if (!page.has_more) return texts
      from = `&from_token=${encodeURIComponent(page.end_token ?? '')}`
    }
  }
}

/** Opens the messenger as the Hub does, for a seeded user. */
export const open = async (browser: Browser, user: string, path = '/chat', options: Parameters<Browser['newContext']>[0] = {}): Promise<Page> =>
  openWith(browser, await hubToken(user), path, options)

/** Opens the messenger with a token of the Hub. */
export async function openWith(browser: Browser, token: string, path = '/chat', options: Parameters<Browser['newContext']>[0] = {}): Promise<Page> {
  const context = await browser.newContext(options)
  contexts.push(context)
  const page = await context.newPage()
  page.on('pageerror', (error) => {
    throw error
  })
  await page.goto(`${path}${path.includes('?') ? '&' : '?'}hub_token=${token}`)
  await expect(page.getByRole('navigation', { name: /Bereiche|Areas/ })).toBeVisible()
  // The feed of a new reader does not have events from before the first connection.
  if (path.startsWith('/chat') && (options.viewport?.width ?? 1280) > 700) await expect(page.getByText('Live', { exact: true })).toBeVisible()
  return page
}

/** Returns the path of a room. */
export const roomPath = (id: string): string => `/chat/${encodeURIComponent(id)}`

/** A user's account at the homeserver, as another Matrix client has it. */
export interface MatrixClient {
  send(room: string, content: Record<string, unknown>): Promise<string>
}

/** Signs a user in at the homeserver with the external password, as Element does. */
export async function externalLogin(user: string): Promise<MatrixClient> {
  const [admin, person] = [await Person.of('chef'), await Person.of(user)]
  await admin.post(`/api/v1/admin/users/${user}/external-access`, { enabled: true })
  let access: { homeserver: string; username: string; password: string } | null = null
  const find = async () => (access = await person.get<NonNullable<typeof access>>('/api/v1/users/me/external-client').catch(() => null))
  await expect.poll(find, { timeout: 60_000 }).not.toBeNull()
  const { homeserver, username, password } = access as unknown as NonNullable<typeof access>
  const request = async (method: string, path: string, body: unknown, token?: string): Promise<Record<string, string>> => {
    const headers = { 'content-type': 'application/json', ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) }
    const answer = await fetch(`${homeserver}/_matrix/client/v3${path}`, { method, headers, body: JSON.stringify(body) })
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`)
    return answer.json() as Promise<Record<string, string>>
  }
  const login = { type: 'm.login.password', identifier: { type: 'm.id.user', user: username }, password }
  const { access_token: token } = await request('POST', '/login', login)
  return {
    async send(room, content) {
      const path = `/rooms/${encodeURIComponent(room)}/send/m.room.message/${randomBytes(6).toString('hex')}`
      return (await request('PUT', path, content, token)).event_id ?? ''
    },
  }
}
