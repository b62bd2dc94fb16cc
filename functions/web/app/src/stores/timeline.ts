// One room's messages, oldest first. Pure: each function returns the next state, and repeating it changes nothing.
import type { History } from '@/api/calls'
import type { Alarm, Message, MessageEditedEvent, NewMessageEvent, NotificationEvent, ReactionEvent, StreamedEvent } from '@/api/types'
import { reacted, type Reaction, reactionsOf, withoutReaction } from './reactions'

/** The most rows of a timeline; the others are fetched again. */
export const ROWS_MAX = 2_000

export interface Row extends Omit<Message, 'reactions'> {
  reactions: readonly Reaction[]
  /** The time at which it was read, in milliseconds: it has all earlier reactions. */
  readAt: number
  /** The id of the notification that this row shows, if it came live and its message is not known yet. */
  liveNotification?: number | undefined
  isUrgent?: boolean
  /** The alarm whose root message this is, as it was at its last change that came live. Its text may be older. */
  alarm?: Alarm
}

export interface Timeline {
  readonly rows: readonly Row[]
  /** The token of the page before the first row; `null` at the beginning of the room, or if it is not known. */
  readonly before: string | null
  readonly hasMore: boolean
  /** The token of the page after the last row; `null` if it is not known. */
  readonly after: string | null
  /** Whether newer messages are not here: those that come live are left out. */
  readonly hasNewer: boolean
  /** Whether a page was read. */
  readonly isLoaded: boolean
}

export const EMPTY: Timeline = { rows: [], before: null, hasMore: true, after: null, hasNewer: false, isLoaded: false }

/** The values of fields that events of older versions lack. */
const PLAIN = { reply_to: null, formatted_body: null, mentions: { hub_user_ids: [], room: false } }

/** Returns the row of a message that was read at this time. */
export function rowOf(message: Message | NewMessageEvent, readAt: number): Row {
  const { reactions, ...whole } = { ...PLAIN, reactions: [], edited: false, ...message }
  return { ...whole, reactions: reactionsOf(reactions), readAt }
}

/** Returns the rows of a page in the order of time, whichever order it has. */
function rowsOf({ messages }: Pick<History, 'messages'>, readAt: number): Row[] {
  const isNewestFirst = (messages[0]?.timestamp ?? '') >= (messages.at(-1)?.timestamp ?? '')
  return (isNewestFirst ? messages.toReversed() : messages).map((message) => rowOf(message, readAt))
}

/** Puts a row in its place by time. A row of the same message stays. */
function insert(rows: readonly Row[], row: Row): readonly Row[] {
  const known = rows.findIndex(({ event_id }) => event_id === row.event_id)
  if (known >= 0) return rows
  let at = rows.length
  while (at > 0 && (rows[at - 1]?.timestamp ?? '') > row.timestamp) at -= 1
  return rows.toSpliced(at, 0, row)
}

/** Drops the oldest rows beyond the limit. They are fetched again from the newest ones on. */
function withoutOldest(timeline: Timeline): Timeline {
  if (timeline.rows.length <= ROWS_MAX) return timeline
  return { ...timeline, rows: timeline.rows.slice(-ROWS_MAX / 2), before: null, hasMore: true }
}

/**
 * Takes the newest page, or several in one. `known` are the rows at the request: rows that changed
 * since then came live and are newer than the page. All other rows are those of the page. Older ones end,
 * since there may be a gap.
 */
export function withNewest(timeline: Timeline, page: History, known: readonly Row[], readAt: number): Timeline {
  const before = new Map(known.map((row) => [row.event_id, row]))
  const now = new Map(timeline.rows.map((row) => [row.event_id, row]))
  const fetched = rowsOf(page, readAt).filter(({ event_id }) => !before.has(event_id) || now.has(event_id))
  const ids = new Set(fetched.map(({ event_id }) => event_id))
  const isLive = (row: Row) => !before.has(row.event_id) || (row.liveNotification !== undefined && row.timestamp >= (fetched[0]?.timestamp ?? ''))
  const live = timeline.rows.filter((row) => !ids.has(row.event_id) && isLive(row) && !isShownBy(row, fetched))
  const current = fetched.map((row) => {
    const shown = now.get(row.event_id)
    return shown === undefined || shown === before.get(row.event_id) ? row : shown
  })
  const rows = live.reduce<readonly Row[]>((all, row) => insert(all, row), current)
  return { ...EMPTY, rows, before: page.end_token ?? null, hasMore: page.has_more, isLoaded: true }
}

/** Adds a page of older messages. Beyond the limit, the newest rows go. */
export function withOlder(timeline: Timeline, page: History, readAt: number): Timeline {
  const known = new Set(timeline.rows.map(({ event_id }) => event_id))
  const rows = [...rowsOf(page, readAt).filter(({ event_id }) => !known.has(event_id)), ...timeline.rows]
  const next = { ...timeline, rows, before: page.end_token ?? null, hasMore: page.has_more }
  return rows.length <= ROWS_MAX ? next : { ...next, rows: rows.slice(0, ROWS_MAX - ROWS_MAX / 4), after: null, hasNewer: true }
}

/** Returns the timeline around a message, in place of all that was there. */
export function around(page: History, readAt: number): Timeline {
  const after = page.start_token ?? null
  return { rows: rowsOf(page, readAt), before: page.end_token ?? null, hasMore: page.has_more, after, hasNewer: after !== null, isLoaded: true }
}

/** Adds the rows of a timeline that has the newest ones to another one that reaches them. */
export function withEnd(timeline: Timeline, newest: Timeline): Timeline {
  return timeline.hasNewer || newest.hasNewer ? timeline : newest.rows.reduce(withMessage, timeline)
}

/** Adds a page of newer messages. Beyond the limit, the oldest rows go. */
export function withNewer(timeline: Timeline, page: History, readAt: number): Timeline {
  const after = page.start_token ?? null
  const rows = rowsOf(page, readAt).reduce<readonly Row[]>((all, row) => insert(all, row), timeline.rows)
  return withoutOldest({ ...timeline, rows, after, hasNewer: after !== null })
}

/** Adds a message that this tab has sent, or a live one. */
export function withMessage(timeline: Timeline, message: Row): Timeline {
  if (timeline.hasNewer) return timeline
  const rows = insert(timeline.rows, message)
  return rows === timeline.rows ? timeline : withoutOldest({ ...timeline, rows })
}

/** Applies an event of the feed. `own` is the Matrix id of the user. Unknown ones change nothing. */
export function applied(timeline: Timeline, event: StreamedEvent, own: string): Timeline {
  switch (event.type) {
    case 'new_message':
      return event.redacted ? timeline : withMessage(timeline, rowOf(event, Date.parse(event.timestamp)))
    case 'message_edited':
      return event.redacted ? timeline : changed(timeline, event.event_id, (row) => edited(row, event))
    case 'message_redacted':
      return redacted(timeline, event.event_id)
    case 'reaction':
      return event.key === '' ? timeline : changed(timeline, event.event_id, (row) => withReaction(row, event, own))
    default:
      return timeline
  }
}

/** Changes one row. A change that returns the same row changes nothing. */
export function changed(timeline: Timeline, id: string, change: (row: Row) => Row): Timeline {
  const at = timeline.rows.findIndex(({ event_id }) => event_id === id)
  const row = timeline.rows[at]
  const next = row === undefined ? undefined : change(row)
  return next === undefined || next === row ? timeline : { ...timeline, rows: timeline.rows.with(at, next) }
}

function edited(row: Row, event: MessageEditedEvent): Row {
  const { body, msg_type, formatted_body, mentions, edit_event_id } = { ...PLAIN, ...event }
  return { ...row, body, msg_type, formatted_body, mentions, edited: edit_event_id !== null }
}

function withReaction(row: Row, event: ReactionEvent, own: string): Row {
  const isOwn = event.sender === own
  const isCounted = Date.parse(event.timestamp) < row.readAt
  if (isCounted && !isOwn) return row
  const reactions = reacted(row.reactions, event.key, event.reaction_event_id, isOwn)
  return reactions === row.reactions ? row : { ...row, reactions }
}

/** Removes a message. */
export function withoutRow(timeline: Timeline, id: string): Timeline {
  const rows = timeline.rows.filter(({ event_id }) => event_id !== id)
  return rows.length === timeline.rows.length ? timeline : { ...timeline, rows }
}

/** Removes a message, or a reaction that came live. */
function redacted(timeline: Timeline, id: string): Timeline {
  const left = withoutRow(timeline, id)
  if (left !== timeline) return left
  const of = timeline.rows.find(({ reactions }) => reactions.some(({ ids }) => ids.has(id)))
  return of === undefined ? timeline : changed(timeline, of.event_id, (row) => ({ ...row, reactions: withoutReaction(row.reactions, id) }))
}

/** Returns whether a redaction may be that of a reaction which the history has counted. */
export function mayMissReaction(timeline: Timeline, id: string): boolean {
  const isKnown = timeline.rows.some(({ event_id, reactions }) => event_id === id || reactions.some(({ ids }) => ids.has(id)))
  return !isKnown && timeline.rows.some(({ reactions }) => reactions.some(({ count, ids }) => count > ids.size))
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
    timestamp: event.created_at ?? at,
    ...PLAIN,
    edited: false,
    reactions: [],
    readAt: 0,
    liveNotification: event.notification_id,
    isUrgent: event.priority === 'urgent',
  }
  if (isShownBy(row, timeline.rows)) return timeline
  return withMessage(timeline, row)
}

/** The message of a notification stands in the room: the row that came live becomes it. */
export function withSent(timeline: Timeline, notification: number, event_id: string): Timeline {
  const live = `notification:${notification}`
  if (timeline.rows.some((row) => row.event_id === event_id)) return withoutRow(timeline, live)
  return changed(timeline, live, (row) => ({ ...row, event_id, notification_id: notification, liveNotification: undefined }))
}

/** Returns whether a message is the one that tells the state of an episode: a later call for attention replies to it. */
export function isRootOf(row: Row, { id, episode, notification_id }: Alarm): boolean {
  if (row.alarm_id != null) return row.alarm_id === id && row.alarm_episode === episode && row.reply_to === null
  return notification_id !== null && (row.notification_id ?? row.liveNotification) === notification_id
}

/** Shows an alarm in the message of its episode: edits of the service do not come as events. */
export function withAlarm(timeline: Timeline, alarm: Alarm): Timeline {
  const row = timeline.rows.findLast((one) => isRootOf(one, alarm))
  if (row === undefined || (row.alarm?.revision ?? -1) >= alarm.revision) return timeline
  return changed(timeline, row.event_id, (now) => ({ ...now, alarm }))
}

/** Returns the text that the service writes into the room. */
function notificationText(event: NotificationEvent): string {
  const mark = event.priority === 'urgent' ? '❗ ' : ''
  return `${mark}[${event.source_app}] ${event.title}${event.body ? `\n${event.body}` : ''}`
}

/** Returns whether one of these messages is that of a live notification. */
function isShownBy(row: Row, messages: readonly Row[]): boolean {
  if (row.liveNotification === undefined) return false
  return messages.some((other) => other.notification_id === row.liveNotification)
}
