// One room's messages, oldest first. Pure: each function returns the next state, and repeating it changes nothing.
import type { Message, MessageEditedEvent, NotificationEvent, StreamedEvent } from '@/api/types'

/** Rows that a timeline holds at most; older ones are fetched again. */
export const ROWS_MAX = 2_000

interface Reaction {
  key: string
  senders: ReadonlyMap<string, { name: string; eventId: string }>
}

export interface Row extends Message {
  /** Whether an edit counts now. */
  isEdited?: boolean
  reactions?: readonly Reaction[]
  /** The id of the notification that this row shows, if it came live and its message is not known yet. */
  notificationId?: number
  isUrgent?: boolean
}

export interface Timeline {
  readonly rows: readonly Row[]
  /** The token of the page before the first row; `null` at the beginning of the room. */
  readonly before: string | null
  readonly hasMore: boolean
  /** Whether the newest page was read. */
  readonly isLoaded: boolean
}

export const EMPTY: Timeline = { rows: [], before: null, hasMore: true, isLoaded: false }

/** Puts a row in its place by time. A row of the same message stays. */
function insert(rows: readonly Row[], row: Row): readonly Row[] {
  const known = rows.findIndex(({ event_id }) => event_id === row.event_id)
  if (known >= 0) return rows
  let at = rows.length
  while (at > 0 && (rows[at - 1]?.timestamp ?? '') > row.timestamp) at -= 1
  return rows.toSpliced(at, 0, row)
}

/** Drops the oldest rows beyond the limit. No token leads to them: they are found again from the newest page on. */
function bounded(timeline: Timeline): Timeline {
  if (timeline.rows.length <= ROWS_MAX) return timeline
  return { ...timeline, rows: timeline.rows.slice(-ROWS_MAX / 2), before: null, hasMore: true }
}

/** A page of the history, newest first. */
interface Page {
  messages: readonly Message[]
  end_token?: string | null
  has_more: boolean
}

/**
 * Takes the newest page, or several in one. `known` are the rows as they were when it was asked for: what has changed
 * since then came live and is newer than the page. All else is as the page says, older rows end: there may be a gap.
 */
export function withNewest(timeline: Timeline, page: Page, known: readonly Row[]): Timeline {
  const before = new Map(known.map((row) => [row.event_id, row]))
  const now = new Map(timeline.rows.map((row) => [row.event_id, row]))
  const fetched = page.messages.toReversed().filter(({ event_id }) => !before.has(event_id) || now.has(event_id))
  const ids = new Set(fetched.map(({ event_id }) => event_id))
  const isLive = (row: Row) => !before.has(row.event_id) || (row.notificationId !== undefined && row.timestamp >= (fetched[0]?.timestamp ?? ''))
  const live = timeline.rows.filter((row) => !ids.has(row.event_id) && isLive(row) && !isShownBy(row, fetched))
  const current = fetched.map((row) => {
    const shown = now.get(row.event_id)
    return shown === undefined || shown === before.get(row.event_id) ? row : shown
  })
  const rows = live.reduce<readonly Row[]>((all, row) => insert(all, row), current)
  return { rows, before: page.end_token ?? null, hasMore: page.has_more, isLoaded: true }
}

/** Adds a page of older messages. */
export function withOlder(timeline: Timeline, page: Page): Timeline {
  const known = new Set(timeline.rows.map(({ event_id }) => event_id))
  const older = page.messages.toReversed().filter(({ event_id }) => !known.has(event_id))
  return { ...timeline, rows: [...older, ...timeline.rows], before: page.end_token ?? null, hasMore: page.has_more }
}

/** Adds a message that this tab has sent, or that came live. */
export function withMessage(timeline: Timeline, message: Message): Timeline {
  const rows = insert(timeline.rows, message)
  return rows === timeline.rows ? timeline : bounded({ ...timeline, rows })
}

/** Applies an event of the feed. Unknown ones change nothing. */
export function applied(timeline: Timeline, event: StreamedEvent): Timeline {
  switch (event.type) {
    case 'new_message':
      return event.redacted ? timeline : withMessage(timeline, event)
    case 'message_edited':
      return event.redacted ? timeline : changed(timeline, event.event_id, (row) => edited(row, event))
    case 'message_redacted':
      return redacted(timeline, event.event_id)
    case 'reaction':
      return event.key === '' ? timeline : changed(timeline, event.event_id, (row) => reacted(row, event))
    default:
      return timeline
  }
}

function changed(timeline: Timeline, id: string, change: (row: Row) => Row): Timeline {
  const at = timeline.rows.findIndex(({ event_id }) => event_id === id)
  const row = timeline.rows[at]
  return row === undefined ? timeline : { ...timeline, rows: timeline.rows.with(at, change(row)) }
}

function edited(row: Row, event: MessageEditedEvent): Row {
  return { ...row, body: event.body, msg_type: event.msg_type, isEdited: event.edit_event_id !== null }
}

function reacted(row: Row, event: { key: string; sender: string; sender_display_name: string; reaction_event_id: string }): Row {
  const others = (row.reactions ?? []).filter(({ key }) => key !== event.key)
  const senders = new Map(row.reactions?.find(({ key }) => key === event.key)?.senders)
  senders.set(event.sender, { name: event.sender_display_name, eventId: event.reaction_event_id })
  return { ...row, reactions: [...others, { key: event.key, senders }] }
}

/** Removes a message, or a reaction. */
function redacted(timeline: Timeline, id: string): Timeline {
  if (timeline.rows.some(({ event_id }) => event_id === id)) {
    return { ...timeline, rows: timeline.rows.filter(({ event_id }) => event_id !== id) }
  }
  const of = timeline.rows.find(({ reactions }) => reactions?.some(({ senders }) => [...senders.values()].some(({ eventId }) => eventId === id)))
  return of === undefined ? timeline : changed(timeline, of.event_id, (row) => withoutReaction(row, id))
}

function withoutReaction(row: Row, id: string): Row {
  const reactions = (row.reactions ?? []).map(({ key, senders }) => ({
    key,
    senders: new Map([...senders].filter(([, { eventId }]) => eventId !== id)),
  }))
  return { ...row, reactions: reactions.filter(({ senders }) => senders.size > 0) }
}

/** Adds a notification that came live: its message does not come as an event. `at` is the time of arrival. */
export function withNotification(timeline: Timeline, event: NotificationEvent, bot: string, at: string): Timeline {
  const row: Row = {
    event_id: `notification:${event.notification_id}`,
    room_id: event.room_id ?? '',
    sender: bot,
    sender_display_name: event.source_app,
    body: notificationText(event),
    msg_type: 'm.text',
    timestamp: at,
    notificationId: event.notification_id,
    isUrgent: event.priority === 'urgent',
  }
  if (isShownBy(row, timeline.rows)) return timeline
  return withMessage(timeline, row)
}

/** Returns the text that the service writes into the room. */
function notificationText(event: NotificationEvent): string {
  const mark = event.priority === 'urgent' ? '❗ ' : ''
  return `${mark}[${event.source_app}] ${event.title}${event.body ? `\n${event.body}` : ''}`
}

/** The longest time between the live event of a notification and its message in the room, in milliseconds. */
const SAME = 120_000

/** Returns whether one of these messages is that of a live notification: the same text at about the same time. */
function isShownBy(row: Row, messages: readonly Row[]): boolean {
  if (row.notificationId === undefined) return false
  const text = plain(row.body)
  const time = Date.parse(row.timestamp)
  return messages.some(
    (other) =>
      other.notificationId === undefined &&
      other.sender === row.sender &&
      plain(other.body) === text &&
      Math.abs(Date.parse(other.timestamp) - time) < SAME,
  )
}

const plain = (text: string): string => text.replace(/\s+/g, ' ').trim()
