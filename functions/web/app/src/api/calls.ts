// The calls of the service that this application makes, one function each.
import { ask, client } from './client'
import type { ClientConfig, DirectoryRoom, ExternalClient, FoundMessage, InboxEntry, Me, Member, Message, Room, SeededUser, User } from './types'
import type { paths } from './schema'

const room = (id: string) => ({ params: { path: { id } } })

export const clientConfig = (): Promise<ClientConfig> => ask(client.GET('/client-config'))
export const me = (): Promise<Me> => ask(client.GET('/api/v1/users/me'))
export const users = (q: string, signal?: AbortSignal): Promise<User[]> =>
  ask(client.GET('/api/v1/users', { params: { query: { q, limit: 50 } }, signal }))

export const rooms = async (): Promise<Room[]> => (await ask(client.GET('/api/v1/rooms'))).rooms
export const createRoom = (name: string, topic: string, invite_users: string[]): Promise<Room> =>
  ask(client.POST('/api/v1/rooms', { body: { name, topic: topic || null, invite_users } }))
export const directChat = (hub_user_id: string): Promise<Room> =>
  ask(client.POST('/api/v1/rooms/dm/{hub_user_id}', { params: { path: { hub_user_id } } }))
export const directory = async (q: string, signal?: AbortSignal): Promise<DirectoryRoom[]> =>
  (await ask(client.GET('/api/v1/rooms/directory', { params: { query: { q, limit: 100 } }, signal }))).rooms
export const joinRoom = (id: string): Promise<Room> => ask(client.POST('/api/v1/rooms/{id}/join', room(id)))
export const leaveRoom = (id: string): Promise<unknown> => ask(client.POST('/api/v1/rooms/{id}/leave', room(id)))
export const members = (id: string): Promise<Member[]> => ask(client.GET('/api/v1/rooms/{id}/members', room(id)))
export const invite = (id: string, hub_user_id: string): Promise<Member> =>
  ask(client.POST('/api/v1/rooms/{id}/invite', { ...room(id), body: { hub_user_id } }))
export const markRead = (id: string): Promise<unknown> => ask(client.POST('/api/v1/rooms/{id}/read', room(id)))
export const setMuted = (id: string, isMuted: boolean): Promise<unknown> =>
  ask(isMuted ? client.PUT('/api/v1/rooms/{id}/mute', room(id)) : client.DELETE('/api/v1/rooms/{id}/mute', room(id)))
export const setTyping = (id: string, typing: boolean): Promise<unknown> =>
  ask(client.POST('/api/v1/rooms/{id}/typing', { ...room(id), body: { typing } }))

export interface History {
  /** Newest first. */
  messages: Message[]
  /** Leads to older messages, and to newer ones. */
  end_token?: string | null
  start_token?: string | null
  has_more: boolean
}
export type Place = { from_token?: string; direction?: 'forward' } | { around: string }
export const history = (room_id: string, place: Place, limit = 50): Promise<History> =>
  ask(client.GET('/api/v1/messages/history/{room_id}', { params: { path: { room_id }, query: { limit, ...place } } }))

/** The text of a new message, or of an edit. */
export interface Text {
  body: string
  format?: 'markdown'
  mentions?: { hub_user_ids: string[]; room: boolean }
}
export const sendMessage = (room_id: string, text: Text & { reply_to?: string }, txn_id: string): Promise<Message> =>
  ask(client.POST('/api/v1/messages/send', { body: { room_id, txn_id, ...text } }))

const message = (room_id: string, event_id: string) => ({ path: { room_id, event_id } })
export const editMessage = (room: string, event: string, text: Text, txn_id: string): Promise<Message> =>
  ask(client.PATCH('/api/v1/messages/{room_id}/{event_id}', { params: message(room, event), body: { ...text, txn_id } }))
export const redactMessage = (room: string, event: string): Promise<unknown> =>
  ask(client.DELETE('/api/v1/messages/{room_id}/{event_id}', { params: message(room, event) }))
export const react = async (room: string, event: string, key: string): Promise<string> =>
  (await ask(client.POST('/api/v1/messages/{room_id}/{event_id}/reactions', { params: message(room, event), body: { key } }))).event_id
export const withdrawReaction = (room_id: string, event_id: string, key: string): Promise<unknown> =>
  ask(client.DELETE('/api/v1/messages/{room_id}/{event_id}/reactions/{key}', { params: { path: { room_id, event_id, key } } }))

export type SearchQuery = paths['/api/v1/messages/search']['get']['parameters']['query']
export interface FoundMessages {
  /** The message that arrived last comes first. */
  messages: FoundMessage[]
  next_before: number | null
}
export const searchMessages = (query: SearchQuery, signal?: AbortSignal): Promise<FoundMessages> =>
  ask(client.GET('/api/v1/messages/search', { params: { query }, signal }))

export type InboxQuery = NonNullable<paths['/api/v1/notifications/inbox']['get']['parameters']['query']>
export interface InboxPage {
  notifications: InboxEntry[]
  next_before: number | null
  unread_count: number
}
export const inbox = (query: InboxQuery): Promise<InboxPage> => ask(client.GET('/api/v1/notifications/inbox', { params: { query } }))
export const readInbox = (body: { ids: number[] } | { up_to: number }): Promise<{ unread_count: number }> =>
  ask(client.POST('/api/v1/notifications/inbox/read', { body }))

export const externalClient = (): Promise<ExternalClient> => ask(client.GET('/api/v1/users/me/external-client'))
export const rotatePassword = (): Promise<ExternalClient> => ask(client.POST('/api/v1/users/me/external-client/rotate'))

export const hubLogin = (body: { hub_token: string } | { hub_code: string }) => ask(client.POST('/auth/hub-login', { body }))
export const beginSession = () => ask(client.POST('/auth/session'))
export const endSession = () => ask(client.DELETE('/auth/session'))
export const seededUsers = async (): Promise<SeededUser[]> => (await ask(client.GET('/auth/development'))).users
export const seededToken = async (hub_user_id: string): Promise<string> =>
  (await ask(client.POST('/auth/development', { body: { hub_user_id } }))).hub_token
