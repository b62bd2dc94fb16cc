// The notifications of a user, newest first. Pure: each function returns the next state.
import type { InboxEntry as Told, NotificationEvent } from '@/api/types'
import { searchable } from './sections'

export interface InboxEntry {
  readonly id: number
  readonly app: string
  readonly title: string
  readonly body: string
  readonly isUrgent: boolean
  readonly isDirect: boolean
  readonly entityType: string | null
  readonly entityId: string | null
  readonly room: string | null
  /** Its message; `null` until it stands in the room. */
  readonly eventId: string | null
  /** Milliseconds at the server, at which it was accepted. */
  readonly at: number
  readonly isRead: boolean
  /** The alarm that it announces; `null` for a notification that stands for itself, or if it is not known. */
  readonly alarm: number | null
}

/** The most entries that are kept. */
export const KEPT = 2_000

/** Returns the entry of a notification from the service or from its event. That of an event is unread. */
export function entryOf(told: Told | NotificationEvent): InboxEntry {
  const { read, matrix_event_id } = { read: false, matrix_event_id: null, ...told }
  return {
    id: told.notification_id,
    app: told.source_app,
    title: told.title,
    body: told.body ?? '',
    isUrgent: told.priority === 'urgent',
    isDirect: told.target_type === 'dm',
    entityType: told.entity_type ?? null,
    entityId: told.entity_id == null ? null : String(told.entity_id),
    room: told.room_id ?? null,
    eventId: matrix_event_id,
    at: Date.parse(told.created_at),
    isRead: read,
    alarm: told.alarm_id ?? null,
  }
}

/** Adds entries, each once. New ones replace known ones, but a read entry stays read, and an alarm stays known. */
export function withEntries(entries: readonly InboxEntry[], given: readonly InboxEntry[]): readonly InboxEntry[] {
  if (given.length === 0) return entries
  const all = new Map(entries.map((entry) => [entry.id, entry]))
  for (const entry of given) {
    const known = all.get(entry.id)
    all.set(entry.id, { ...entry, isRead: entry.isRead || (known?.isRead ?? false), alarm: entry.alarm ?? known?.alarm ?? null })
  }
  return [...all.values()].toSorted((a, b) => b.id - a.id).filter((entry, index) => index < KEPT || (entry.isUrgent && !entry.isRead))
}

/** Marks entries as read: these, and all with an id up to this one. */
export function withRead(entries: readonly InboxEntry[], ids: readonly number[], upTo = 0): readonly InboxEntry[] {
  const read = new Set(ids)
  const isHit = ({ id, isRead }: InboxEntry) => !isRead && (id <= upTo || read.has(id))
  return entries.some(isHit) ? entries.map((entry) => (isHit(entry) ? { ...entry, isRead: true } : entry)) : entries
}

/** The notifications that a list shows. */
export interface InboxFilter {
  state: 'all' | 'unread' | 'urgent'
  app: string
  /** Words in title or body. */
  text: string
  entity: { type: string; id: string } | null
}

/** Returns whether title and body have all words of a text. The service compares words more thoroughly. */
export function hasWords(title: string, body: string, text: string): boolean {
  const searched = searchable(`${title}\n${body}`)
  return searchable(text).split(/\s+/u).every((word) => searched.includes(word))
}

export function isShown(entry: InboxEntry, { state, app, entity }: InboxFilter): boolean {
  if (state === 'unread' && entry.isRead) return false
  if (state === 'urgent' && !entry.isUrgent) return false
  if (entity !== null && (entry.entityType !== entity.type || entry.entityId !== entity.id)) return false
  return app === '' || entry.app === app
}
