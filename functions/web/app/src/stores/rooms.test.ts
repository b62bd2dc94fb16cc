// The room list: unread counts, order and search.
import { createPinia, setActivePinia } from 'pinia'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { rooms as fetchRooms } from '@/api/calls'
import type { Room, StreamedEvent } from '@/api/types'
import { useRooms } from './rooms'
import { compareActivity, searchable, sectionOf } from './sections'

vi.mock('@/api/calls', () => ({ rooms: vi.fn() }))

const room = (id: string, more: Partial<Room> = {}): Room => ({
  matrix_room_id: id, display_name: id, room_type: 'custom', topic: null, entity_type: null, entity_id: null, unread_count: 0, last_message: null, last_message_ts: null, encrypted: false, read_event_id: null, mention_count: 0, muted: false, ...more,
})
const said = (second: number, sender = '@anna:hub') =>
  ({ type: 'new_message', event_id: `$${second}`, room_id: '!a', sender, sender_display_name: 'Anna', body: 'Hallo', msg_type: 'm.text', timestamp: `2026-01-31T12:00:0${second}.000000Z` }) as StreamedEvent

beforeEach(() => setActivePinia(createPinia()))

describe('the room list', () => {
  it('counts a message of others once, not one of oneself, and none that is read at once', async () => {
    vi.mocked(fetchRooms).mockResolvedValue([room('!a')])
    const rooms = useRooms()
    await rooms.load()
    rooms.apply(said(1), '@me:hub')
    rooms.apply(said(1), '@me:hub')
    rooms.apply(said(2, '@me:hub'), '@me:hub')
    expect(rooms.all.get('!a')).toMatchObject({ unread_count: 1, last_message: 'Hallo' })
    rooms.readRoom = '!a'
    rooms.apply(said(3), '@me:hub')
    expect(rooms.unreadCount).toBe(1)
  })

  it('does not count what the list had counted already', async () => {
    vi.mocked(fetchRooms).mockResolvedValue([room('!a', { unread_count: 4, last_message_ts: '2026-01-31T12:00:05.000000Z' })])
    const rooms = useRooms()
    await rooms.load()
    rooms.apply(said(5), '@me:hub')
    expect(rooms.all.get('!a')?.unread_count).toBe(4)
  })

  it('shows the edit of a last message at once, and reads the list again only for what it does not know', async () => {
    vi.mocked(fetchRooms).mockReset().mockResolvedValue([room('!a')])
    const rooms = useRooms()
    await rooms.load()
    rooms.apply(said(1), '@me:hub')
    const edited = (event_id: string, body: string) => ({ type: 'message_edited', room_id: '!a', event_id, body }) as StreamedEvent
    rooms.apply(edited('$1', 'Hallo zusammen'), '@me:hub')
    rooms.apply(edited('$0', 'eine ältere'), '@me:hub')
    expect(rooms.all.get('!a')?.last_message).toBe('Hallo zusammen')
    expect(fetchRooms).toHaveBeenCalledTimes(1)
    rooms.apply({ type: 'message_redacted', room_id: '!a', event_id: '$1' } as StreamedEvent, '@me:hub')
    await vi.waitFor(() => expect(fetchRooms).toHaveBeenCalledTimes(2))
  })

  it('takes the list of the early sign-in once, and reads its own if that failed', async () => {
    vi.mocked(fetchRooms).mockReset().mockResolvedValue([room('!own')])
    const rooms = useRooms()
    rooms.expect(Promise.resolve([room('!early')]))
    await rooms.load()
    expect([...rooms.all.keys()]).toEqual(['!early'])
    await rooms.load()
    expect([...rooms.all.keys()]).toEqual(['!own'])
    rooms.expect(Promise.resolve(null))
    await rooms.load()
    expect(fetchRooms).toHaveBeenCalledTimes(2)
  })

  it('takes the count of the service, and drops a room that was left', async () => {
    vi.mocked(fetchRooms).mockResolvedValue([room('!a', { unread_count: 4, mention_count: 3 })])
    const rooms = useRooms()
    await rooms.load()
    rooms.apply({ type: 'unread', room_id: '!a', unread_count: 2, mention_count: 1 } as StreamedEvent, '@me:hub')
    expect(rooms.all.get('!a')).toMatchObject({ unread_count: 2, mention_count: 1 })
    rooms.apply({ type: 'room_left', room_id: '!a', room: null } as StreamedEvent, '@me:hub')
    expect([rooms.all.size, rooms.left.get('!a')]).toEqual([0, { name: room('!a').display_name, isClosed: false }])
  })

  it('knows that a room was closed, also one that is not in the list', () => {
    const rooms = useRooms()
    rooms.apply({ type: 'room_left', room_id: '!b', room: room('!b', { display_name: 'Halle 3' }), reason: 'closed' } as unknown as StreamedEvent, '@me:hub')
    expect(rooms.left.get('!b')).toEqual({ name: 'Halle 3', isClosed: true })
  })

  it('reads the list once more for events that come while it is being read', async () => {
    let answer: (list: Room[]) => void = () => {}
    vi.mocked(fetchRooms).mockReset().mockImplementationOnce(() => new Promise((resolve) => (answer = resolve))).mockResolvedValue([room('!a', { unread_count: 1 })])
    const rooms = useRooms()
    const loaded = rooms.load()
    rooms.apply(said(1), '@me:hub')
    answer([room('!a')])
    await loaded
    expect(rooms.all.get('!a')?.unread_count).toBe(1)
  })

  it('orders by the last message, and by name where there is none', () => {
    const list = [room('b'), room('a 10'), room('a 9'), room('old', { last_message_ts: '2026-01-01' }), room('new', { last_message_ts: '2026-01-02' })]
    expect(list.toSorted(compareActivity).map(({ display_name }) => display_name)).toEqual(['new', 'old', 'a 9', 'a 10', 'b'])
  })

  it('has a section for each kind', () => {
    const kinds = (['dm', 'general', 'custom', 'entity', 'service'] as const).map((room_type) => sectionOf(room('x', { room_type })))
    expect(kinds).toEqual(['direct', 'rooms', 'rooms', 'machines', 'machines'])
  })

  it('finds names regardless of case and accents', () => {
    expect(searchable('Straße Émile MÜLLER')).toBe('strasse emile muller')
  })
})
