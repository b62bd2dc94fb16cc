// The rules of one timeline: order, once, gaps, edits, redactions, and notifications that are shown once.
import { describe, expect, it } from 'vitest'
import type { Message, NotificationEvent, StreamedEvent } from '@/api/types'
import type { History } from '@/api/calls'
import { alarmOf } from './alarm_sample'
import * as rules from './timeline'
import { EMPTY, type Row, ROWS_MAX, type Timeline, withAlarm, withEnd, withNotification } from './timeline'

const at = (second: number) => new Date(Date.UTC(2026, 0, 31, 12, 0, second)).toISOString()
const message = (id: string, second: number, more: Partial<Message> = {}): Message => ({
  event_id: id, room_id: '!a', sender: '@anna:hub', sender_display_name: 'Anna', body: id, msg_type: 'm.text', timestamp: at(second),
  reply_to: null, formatted_body: null, mentions: { hub_user_ids: [], room: false }, edited: false, reactions: [], ...more,
})
const OWN = '@me:hub'
const withMessage = (timeline: Timeline, sent: Message) => rules.withMessage(timeline, rules.rowOf(sent, 0))
const withNewest = (timeline: Timeline, page: History, known: readonly Row[], readAt = 0) => rules.withNewest(timeline, page, known, readAt)
const withOlder = (timeline: Timeline, page: History) => rules.withOlder(timeline, page, 0)
const applied = (timeline: Timeline, given: StreamedEvent) => rules.applied(timeline, given, OWN)
const event = (fields: object) => fields as StreamedEvent
const ids = (timeline: Timeline) => timeline.rows.map(({ event_id }) => event_id)
const page = (messages: Message[], end_token: string | null = null): History => ({ messages, end_token, has_more: end_token !== null })

describe('a timeline', () => {
  it('shows a message once, whether it comes by the answer, the feed or the history', () => {
    const sent = message('$1', 1)
    let timeline = withMessage(EMPTY, sent)
    timeline = applied(timeline, event({ type: 'new_message', ...sent }))
    timeline = withNewest(timeline, page([sent]), timeline.rows)
    expect(ids(timeline)).toEqual(['$1'])
  })

  it('changes nothing when an event is repeated', () => {
    const first = applied(EMPTY, event({ type: 'new_message', ...message('$1', 1) }))
    expect(applied(first, event({ type: 'new_message', ...message('$1', 1) }))).toBe(first)
  })

  it('keeps the order of time when messages arrive in another one', () => {
    const timeline = ['$3:3', '$1:1', '$2:2'].reduce((all, text) => {
      const [id = '', second] = text.split(':')
      return withMessage(all, message(id, Number(second)))
    }, EMPTY)
    expect(ids(timeline)).toEqual(['$1', '$2', '$3'])
  })

  it('puts older pages before, newest first on the wire, and remembers where the next one begins', () => {
    const newest = withNewest(EMPTY, page([message('$4', 4), message('$3', 3)], 't1'), [])
    const all = withOlder(newest, page([message('$3', 3), message('$2', 2), message('$1', 1)]))
    expect(ids(all)).toEqual(['$1', '$2', '$3', '$4'])
    expect([newest.before, newest.hasMore, all.before, all.hasMore]).toEqual(['t1', true, null, false])
  })

  it('drops what is older than a gap, and keeps what came live meanwhile', () => {
    const old = withNewest(EMPTY, page([message('$1', 1)]), [])
    const live = withMessage(old, message('$9', 9))
    expect(ids(withNewest(live, page([message('$8', 8), message('$7', 7)], 't'), old.rows))).toEqual(['$7', '$8', '$9'])
  })

  it('takes redactions and edits that were missed, and keeps those that came while it was read again', () => {
    const known = withNewest(EMPTY, page(['$4', '$3', '$2', '$1'].map((id, index) => message(id, 4 - index))), [])
    const edited = applied(known, event({ type: 'message_edited', ...message('$2', 9), body: 'live', edit_event_id: '$e' }))
    const redacted = applied(edited, event({ type: 'message_redacted', room_id: '!a', event_id: '$1' }))
    // The response is from before both, and from after the redaction of $4.
    const again = withNewest(redacted, page([message('$3', 3, { body: 'missed' }), message('$2', 2), message('$1', 1)]), known.rows)
    expect(again.rows.map(({ event_id, body }) => [event_id, body])).toEqual([['$2', 'live'], ['$3', 'missed']])
  })

  it('shows an edit, and the first text again when the edit is taken back', () => {
    const edit = (body: string, edit_event_id: string | null) => event({ type: 'message_edited', ...message('$1', 9), body, edit_event_id })
    const edited = applied(withMessage(EMPTY, message('$1', 1)), edit('neu', '$2'))
    expect(edited.rows[0]).toMatchObject({ body: 'neu', edited: true, timestamp: at(1) })
    expect(applied(edited, edit('$1', null)).rows[0]).toMatchObject({ body: '$1', edited: false })
  })

  it('removes a redacted message, and never shows a redacted event', () => {
    const redacted = applied(withMessage(EMPTY, message('$1', 1)), event({ type: 'message_redacted', room_id: '!a', event_id: '$1' }))
    expect(ids(redacted)).toEqual([])
    expect(applied(EMPTY, event({ type: 'new_message', ...message('$1', 1), body: '', redacted: true }))).toBe(EMPTY)
  })

  const react = (id: string, sender: string, second = 9) =>
    event({ type: 'reaction', room_id: '!a', event_id: '$1', reaction_event_id: id, key: '👍', sender, sender_display_name: sender, timestamp: at(second) })

  it('counts a reaction once, and takes it away with its redaction', () => {
    const start = withMessage(EMPTY, message('$1', 1))
    const both = [react('$r1', 'a'), react('$r1', 'a'), react('$r2', 'b')].reduce(applied, start)
    expect(both.rows[0]?.reactions).toMatchObject([{ key: '👍', count: 2, isOwn: false }])
    const one = applied(both, event({ type: 'message_redacted', event_id: '$r1' }))
    expect(one.rows[0]?.reactions[0]?.count).toBe(1)
    expect(applied(one, event({ type: 'message_redacted', event_id: '$r2' })).rows[0]?.reactions).toEqual([])
  })

  it('counts no reaction that the history has counted, and knows when one of those may be gone', () => {
    const counted = message('$1', 1, { reactions: [{ key: '👍', count: 2, own_event: true }] })
    const read = withNewest(EMPTY, page([counted]), [], Date.parse(at(5)))
    expect(applied(read, react('$r1', 'a', 4))).toBe(read)
    const own = applied(read, react('$r2', OWN, 9))
    expect(own.rows[0]?.reactions).toMatchObject([{ count: 2, isOwn: true, ownId: '$r2' }])
    expect(applied(own, react('$r3', 'c', 9)).rows[0]?.reactions[0]?.count).toBe(3)
    expect([rules.mayMissReaction(own, '$r2'), rules.mayMissReaction(own, '$x'), rules.mayMissReaction(EMPTY, '$x')]).toEqual([false, true, false])
  })

  it('shows messages around one of long ago, and those that come live only when the way to them is read', () => {
    const old = rules.around({ ...page([message('$2', 2), message('$1', 1)], 't0'), start_token: 't3' }, 0)
    expect([old.hasNewer, ids(withMessage(old, message('$9', 9)))]).toEqual([true, ['$1', '$2']])
    const newer = rules.withNewer(old, { ...page([message('$3', 3), message('$4', 4)]), start_token: null }, 0)
    expect([newer.hasNewer, ids(withMessage(newer, message('$9', 9)))]).toEqual([false, ['$1', '$2', '$3', '$4', '$9']])
  })

  it('keeps what came live while messages around one were read that reach the end', () => {
    const live = withMessage(EMPTY, message('$9', 9))
    const last = rules.around(page([message('$8', 8), message('$7', 7)], 't7'), 0)
    expect(ids(withEnd(last, live))).toEqual(['$7', '$8', '$9'])
    const old = rules.around({ ...page([message('$2', 2), message('$1', 1)], 't0'), start_token: 't3' }, 0)
    expect(ids(withEnd(old, live))).toEqual(['$1', '$2'])
    expect(ids(withEnd(last, old))).toEqual(['$7', '$8'])
  })

  it('drops the newest rows when a reader goes far back', () => {
    const rows = Array.from({ length: ROWS_MAX }, (_, index) => message(`$${index}`, 10_000 - index))
    const full = withNewest(EMPTY, page(rows, 't'), [])
    const back = withOlder(full, page([message('$old', 1)], 't2'))
    expect([back.rows[0]?.event_id, back.rows.length < ROWS_MAX, back.hasNewer, back.hasMore]).toEqual(['$old', true, true, true])
  })

  it('shows events of before replies and mentions existed', () => {
    const { event_id, room_id, sender, sender_display_name, body, msg_type, timestamp } = message('$1', 1)
    const old = applied(EMPTY, event({ type: 'new_message', event_id, room_id, sender, sender_display_name, body, msg_type, timestamp }))
    expect(old.rows[0]).toMatchObject({ reply_to: null, formatted_body: null, mentions: { hub_user_ids: [], room: false }, edited: false, reactions: [] })
  })

  it('ignores what it does not know', () => {
    expect(applied(EMPTY, event({ type: 'something_new', room_id: '!a' }))).toBe(EMPTY)
  })

  it('holds a bounded number of rows, and can find the others again', () => {
    let timeline = withNewest(EMPTY, page([message('$0', 0)]), [])
    for (let number = 1; number <= ROWS_MAX + 5; number += 1) timeline = withMessage(timeline, message(`$${number}`, number))
    expect(timeline.rows.length).toBeLessThanOrEqual(ROWS_MAX)
    expect(timeline.hasMore).toBe(true)
    expect(timeline.rows.at(-1)?.event_id).toBe(`$${ROWS_MAX + 5}`)
  })
})

describe('a notification', () => {
  const bot = '@messenger:hub'
  const notification = { type: 'notification', notification_id: 42, source_app: 'mes', title: 'CNC-01 gestoppt', body: 'E-401', priority: 'urgent', room_id: '!a', created_at: at(4) } as NotificationEvent
  const written = message('$n', 5, { sender: bot, body: '❗ [mes] CNC-01 gestoppt\n\nE-401', notification_id: 42 })
  const live = withNotification(EMPTY, notification, bot, at(4))

  it('is shown live, and gives way to its message when the history is read', () => {
    expect(live.rows[0]).toMatchObject({ liveNotification: 42, isUrgent: true })
    expect(ids(withNewest(live, page([written]), live.rows))).toEqual(['$n'])
    // A message that is still in the outbox stays.
    expect(ids(withNewest(live, page([message('$o', 1)]), live.rows))).toEqual(['$o', 'notification:42'])
  })

  it('becomes its message when that stands in the room', () => {
    const sent = rules.withSent(live, 42, '$n')
    expect(sent.rows).toMatchObject([{ event_id: '$n', notification_id: 42 }])
    expect(withNotification(sent, notification, bot, at(6))).toBe(sent)
    expect(ids(rules.withSent(withNewest(live, page([written]), live.rows), 42, '$n'))).toEqual(['$n'])
  })

  it('is not shown beside its message, and is beside another one with the same text', () => {
    const known = withNewest(EMPTY, page([written]), [])
    expect(withNotification(known, notification, bot, at(6))).toBe(known)
    expect(withNotification(known, { ...notification, notification_id: 43 }, bot, at(6)).rows).toHaveLength(2)
  })
})

it('an alarm is shown in the message of its episode, whose text is older, and the newer one counts', () => {
  const root = (id: string, second: number, notification_id: number) => message(id, second, { notification_id } as Partial<Message>)
  const timeline = [root('$before', 1, 7), root('$root', 2, 10)].reduce(withMessage, EMPTY)
  const counted = withAlarm(timeline, alarmOf(1, { revision: 3, occurrences: 3 }))
  expect(counted.rows.map(({ alarm }) => alarm?.occurrences)).toEqual([undefined, 3])
  expect(withAlarm(counted, alarmOf(1, { revision: 2 }))).toBe(counted)
  const read = [message('$old', 1, { alarm_id: 1, alarm_episode: 1 }), message('$new', 2, { alarm_id: 1, alarm_episode: 2 }), message('$ring', 3, { alarm_id: 1, alarm_episode: 2, reply_to: '$new' })].reduce(withMessage, EMPTY)
  expect(withAlarm(read, alarmOf(1, { episode: 2 })).rows.map(({ alarm }) => alarm?.episode)).toEqual([undefined, 2, undefined])
  // The next episode has a message of its own.
  expect(withAlarm(counted, alarmOf(1, { revision: 4, episode: 2, notification_id: 30 }))).toBe(counted)
  expect(withAlarm(counted, alarmOf(1, { revision: 5, notification_id: null }))).toBe(counted)
})
