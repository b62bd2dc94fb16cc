// The types of the service's interface, made from docs/openapi.json, under the names of this application.
import type { components } from './schema'

type Schemas = components['schemas']

// Read positions, mentions and muting are not shown yet.
export type Room = Omit<Schemas['Room'], 'mention_count' | 'muted' | 'read_event_id'>
export type DirectoryRoom = Schemas['DirectoryRoom']
export type Member = Schemas['Member']
export type User = Schemas['User']
export type Me = Schemas['Me']
// Replies, HTML, mentions and reactions of the history are not shown yet.
export type Message = Omit<Schemas['Message'], 'reply_to' | 'formatted_body' | 'mentions' | 'edited' | 'reactions'>
export type ExternalClient = Schemas['ExternalClient']
export type ClientConfig = Schemas['ClientConfig']
export type SeededUser = Schemas['SeededUser']
export type Problem = Schemas['Problem']

export type NotificationEvent = Schemas['NotificationEvent']
export type NewMessageEvent = Schemas['NewMessageEvent']
export type MessageEditedEvent = Schemas['MessageEditedEvent']
export type ReactionEvent = Schemas['ReactionEvent']
export type InboxEntry = Schemas['InboxEntry']
export type InboxReadEvent = Schemas['InboxReadEvent']
export type NotificationSentEvent = Schemas['NotificationSentEvent']
export type TypingEvent = Schemas['TypingEvent']
export type StreamedEvent = Schemas['StreamedEvent']
