// The rules of one timeline: order, once, gaps, edits, redactions, and notifications that are shown once.
import { describe, expect, it } from 'vitest'
import type { Message, NotificationEvent, StreamedEvent } from '@/api/types'
import { applied, EMPTY, ROWS_MAX, type Timeline, withMessage, withNewest, withNotification, withOlder } from './timeline'

const at = (second: number) => new Date(Date.UTC(2026, 0, 31, 12, 0, second)).toISOString()
const message = (id: string, second: number, more: Partial<Message> = {}): Message => ({
  event_id: id, room_id: '!a', sender: '@anna:hub', sender_display_name: 'Anna', body: id, msg_type: 'm.text', timestamp: at(second), ...more,
})
const event = (fields: object) => fields as StreamedEvent
const ids = (timeline: Timeline) => timeline.rows.map(({ event_id }) => event_id)
const page = (messages: Message[], end_token: string | null = null) => ({ messages, end_token, has_more: end_token !== null })

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
    // The answer was made before both, and after the redaction of $4.
    const again = withNewest(redacted, page([message('$3', 3, { body: 'missed' }), message('$2', 2), message('$1', 1)]), known.rows)
    expect(again.rows.map(({ event_id, body }) => [event_id, body])).toEqual([['$2', 'live'], ['$3', 'missed']])
  })

  it('shows an edit, and the first text again when the edit is taken back', () => {
    const edit = (body: string, edit_event_id: string | null) => event({ type: 'message_edited', ...message('$1', 9), body, edit_event_id })
    const edited = applied(withMessage(EMPTY, message('$1', 1)), edit('neu', '$2'))
    expect(edited.rows[0]).toMatchObject({ body: 'neu', isEdited: true, timestamp: at(1) })
    expect(applied(edited, edit('$1', null)).rows[0]).toMatchObject({ body: '$1', isEdited: false })
  })

  it('removes a redacted message, and never shows a redacted event', () => {
    const redacted = applied(withMessage(EMPTY, message('$1', 1)), event({ type: 'message_redacted', room_id: '!a', event_id: '$1' }))
    expect(ids(redacted)).toEqual([])
    expect(applied(EMPTY, event({ type: 'new_message', ...message('$1', 1), body: '', redacted: true }))).toBe(EMPTY)
  })

  it('counts a reaction once for each sender, and takes it away with its redaction', () => {
    const react = (id: string, sender: string) =>
      event({ type: 'reaction', room_id: '!a', event_id: '$1', reaction_event_id: id, key: '👍', sender, sender_display_name: sender })
    const start = withMessage(EMPTY, message('$1', 1))
    const both = [react('$r1', 'a'), react('$r1', 'a'), react('$r2', 'b')].reduce(applied, start)
    expect(both.rows[0]?.reactions?.[0]?.senders.size).toBe(2)
    const one = applied(both, event({ type: 'message_redacted', event_id: '$r1' }))
    expect(one.rows[0]?.reactions?.[0]?.senders.size).toBe(1)
    expect(applied(one, event({ type: 'message_redacted', event_id: '$r2' })).rows[0]?.reactions).toEqual([])
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
  const notification = { type: 'notification', notification_id: 42, source_app: 'mes', title: 'CNC-01 gestoppt', body: 'E-401', priority: 'urgent', room_id: '!a' } as NotificationEvent
  const written = message('$n', 5, { sender: bot, body: '❗ [mes] CNC-01 gestoppt\n\nE-401' })

  it('is shown live, and gives way to its message when the history is read', () => {
    const live = withNotification(EMPTY, notification, bot, at(4))
    expect(live.rows[0]).toMatchObject({ notificationId: 42, isUrgent: true })
    expect(ids(withNewest(live, page([written]), live.rows))).toEqual(['$n'])
    expect(ids(withNewest(live, page([message('$o', 1)]), live.rows))).toEqual(['$o', 'notification:42'])
  })

  it('is not shown beside its message', () => {
    const known = withNewest(EMPTY, page([written]), [])
    expect(withNotification(known, notification, bot, at(6))).toBe(known)
  })

  it('is shown beside an older message with the same text', () => {
    const known = withNewest(EMPTY, page([written]), [])
    const later = new Date(Date.parse(written.timestamp) + 3_600_000).toISOString()
    expect(withNotification(known, notification, bot, later).rows).toHaveLength(2)
  })
})
