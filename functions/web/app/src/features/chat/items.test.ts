// The rows of a timeline on the page.
import { describe, expect, it } from 'vitest'
import type { Row } from '@/stores/timeline'
import { firstNewOf, isPrepended, itemMaker, missedOf } from './items'
import { partsOf } from './links'

const row = (id: string, minute: number, sender = '@anna:hub'): Row => ({
  event_id: id, room_id: '!a', sender, sender_display_name: sender, body: id, msg_type: 'm.text', timestamp: new Date(2026, 0, 31, 12, minute).toISOString(),
  reply_to: null, formatted_body: null, mentions: { hub_user_ids: [], room: false }, edited: false, reactions: [], readAt: 0,
})
const itemsOf = itemMaker()
const shown = (rows: Row[], firstNew: string | null = null) =>
  itemsOf(rows, [], '@me:hub', firstNew).map((item) => (item.kind === 'message' ? `${item.key}${item.isNewDay ? ' day' : ''}${item.isFirstNew ? ' new' : ''}${item.isContinued ? ' continued' : ''}` : item.key))

describe('the rows of a room', () => {
  it('are grouped by sender and time, below lines with the day', () => {
    const rows = [row('1', 0), row('2', 1), row('3', 2, '@bert:hub'), row('4', 20, '@bert:hub'), row('5', 24 * 60)]
    expect(shown(rows)).toEqual(['1 day', '2 continued', '3', '4', '5 day'])
  })

  it('begin a new group below the line of new messages', () => {
    expect(shown([row('1', 0), row('2', 1)], '2')).toEqual(['1 day', '2 new'])
  })

  it('count as new from what was read last on, else by their number', () => {
    const rows = [row('1', 0), row('2', 1, '@me:hub'), row('3', 2), row('4', 3, '@me:hub'), row('5', 4)]
    expect([0, 1, 2, 9].map((unread) => firstNewOf(rows, { unread, readUntil: null }, '@me:hub'))).toEqual([null, '5', '3', '1'])
    expect(['1', '3', '5', 'gone'].map((readUntil) => firstNewOf(rows, { unread: 1, readUntil }, '@me:hub'))).toEqual(['3', '5', null, '5'])
  })

  it('stay the same objects when others come', () => {
    const rows = [row('1', 0), row('2', 1)]
    const before = itemsOf(rows, [], '', null)
    const after = itemsOf([...rows, row('3', 2)], [], '', null)
    expect([after[0] === before[0], after[1] === before[1]]).toEqual([true, true])
    // An older row above the first one changes only its day line.
    const older = itemsOf([row('0', -1), ...rows], [], '', null)
    expect([older[1] === before[0], older[2] === before[1]]).toEqual([false, true])
  })

  it('count as missed after what was seen last, without those of oneself', () => {
    const rows = [row('1', 0), row('2', 1, '@me:hub'), row('3', 2), row('4', 3)]
    expect([-1, 0, 2, 3].map((minute) => missedOf(rows, row('', minute).timestamp, '@me:hub'))).toEqual([3, 2, 1, 0])
  })

  it('are prepended only if others came before the same end', () => {
    const items = (ids: string[]) => itemsOf(ids.map((id, index) => row(id, index)), [], '', null)
    const present = items(['3', '4'])
    expect(isPrepended(present, items(['1', '2', '3', '4']))).toBe(true)
    expect(isPrepended(present, items(['3', '4', '5']))).toBe(false)
    expect(isPrepended([], items(['3']))).toBe(false)
  })
})

describe('a text', () => {
  it('has links to pages and addresses only', () => {
    const links = partsOf('siehe https://hub.example/a?b=1 und javascript:alert(1) oder a@b.de').filter(({ href }) => href !== null)
    expect(links).toEqual([{ text: 'https://hub.example/a?b=1', href: 'https://hub.example/a?b=1' }, { text: 'a@b.de', href: 'mailto:a@b.de' }])
  })

  it('loses nothing when it is taken apart', () => {
    const text = 'x <script>alert(1)</script> www.example.com\n\u202Eend'
    expect(partsOf(text).map((part) => part.text).join('')).toBe(text)
  })
})
