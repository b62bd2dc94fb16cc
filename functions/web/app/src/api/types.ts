// The types of the HTTP interface, generated from docs/openapi.json, under the names of this application.
import type { components } from './schema'

type Schemas = components['schemas']

export type Room = Schemas['Room']
export type DirectoryRoom = Schemas['DirectoryRoom']
export type Member = Schemas['Member']
export type User = Schemas['User']
export type Me = Schemas['Me']
export type Message = Schemas['Message']
export type FoundMessage = Schemas['FoundMessage']
export type ExternalClient = Schemas['ExternalClient']
export type ClientConfig = Schemas['ClientConfig']
export type SeededUser = Schemas['SeededUser']
export type Problem = Schemas['Problem']

export type NotificationEvent = Schemas['NotificationEvent']
export type NewMessageEvent = Schemas['NewMessageEvent']
export type MessageEditedEvent = Schemas['MessageEditedEvent']
export type RoomLeftEvent = Schemas['RoomLeftEvent']
export type ReactionEvent = Schemas['ReactionEvent']
export type InboxEntry = Schemas['InboxEntry']
export type InboxReadEvent = Schemas['InboxReadEvent']
export type NotificationSentEvent = Schemas['NotificationSentEvent']
export type UnreadEvent = Schemas['UnreadEvent']
export type TypingEvent = Schemas['TypingEvent']
export type StreamedEvent = Schemas['StreamedEvent']
