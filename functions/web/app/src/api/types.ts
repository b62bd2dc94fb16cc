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

/** `alarm_id` is left out for a notification that stands for itself. */
export type NotificationEvent = Schemas['NotificationEvent'] & { alarm_id?: number }
export type NewMessageEvent = Schemas['NewMessageEvent']
export type MessageEditedEvent = Schemas['MessageEditedEvent']
export type RoomLeftEvent = Schemas['RoomLeftEvent']
export type ReactionEvent = Schemas['ReactionEvent']
export type InboxEntry = Schemas['InboxEntry'] & { alarm_id?: number | null }
export type InboxReadEvent = Schemas['InboxReadEvent']
export type NotificationSentEvent = Schemas['NotificationSentEvent']
export type UnreadEvent = Schemas['UnreadEvent']
export type TypingEvent = Schemas['TypingEvent']
export type StreamedEvent = Exclude<Schemas['StreamedEvent'], { type: 'notification' }> | NotificationEvent | AlarmEvent

/** An alarm, with its newest episode. */
export interface Alarm {
  id: number
  source_app: string
  dedup_key: string
  state: AlarmState
  episode: number
  /** Of two objects of an alarm, the one with the greater revision is newer. */
  revision: number
  event_type: string
  title: string
  body: string | null
  /** The highest priority of the episode. */
  priority: 'low' | 'normal' | 'high' | 'urgent'
  target_type: 'general' | 'entity_room' | 'service_room' | 'dm'
  entity_type: string | null
  entity_id: number | string | null
  target_user: string | null
  room_id: string | null
  /** The notification of the first trigger of the episode. */
  notification_id: number | null
  occurrences: number
  chattering: boolean
  stale: boolean
  started_at: string
  active_since: string
  last_occurred_at: string
  ack_required: boolean
  acked_by: AckedBy | null
  cleared: Cleared | null
  resolve_at: string | null
  /** The time at which it became normal; `null` while it is open. */
  ended_at: string | null
  closed_unseen: boolean
}

/** The states of ISA-18.2: normal, active, and over before anybody has acknowledged it. */
type AlarmState = 'normal' | 'active_unack' | 'active_ack' | 'rtn_unack'

export interface AckedBy {
  hub_user_id: string | null
  display_name: string
  via: 'api' | 'matrix' | 'satellite'
  at: string
  comment: string | null
  expires_at: string | null
}

interface Cleared {
  at: string
  by: 'satellite' | 'user' | 'timeout' | 'cancel'
  hub_user_id: string | null
  display_name: string | null
}

export interface AlarmJournalEntry {
  at: string
  episode: number
  state: AlarmState
  cause: 'trigger' | 'update' | 'acknowledge' | 'unacknowledge' | 'resolve' | 'cancel' | 'comment' | 'resolve_timeout' | 'ack_expired' | 'stale' | 'closed_unseen'
  via: 'satellite' | 'api' | 'matrix' | 'deadline'
  hub_user_id: string | null
  display_name: string | null
  notification_id: number | null
  matrix_event_id: string | null
  comment: string | null
  outcome: 'applied' | 'unchanged' | 'ignored' | 'refused'
  reason: string | null
}

export interface AlarmEvent {
  type: 'alarm'
  alarm: Alarm
}
