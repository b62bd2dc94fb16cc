// Notifications: their order, each once, and their read state on all devices.
import 'fake-indexeddb/auto'
import { createPinia, setActivePinia } from 'pinia'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { inbox as fetchInbox, readInbox } from '@/api/calls'
import { ApiError, NoAnswer } from '@/api/problem'
import type { NotificationEvent } from '@/api/types'
import { UserDatabase } from '@/platform/database'
import { useInbox } from './inbox'
import { entryOf, hasWords, isShown, KEPT, withEntries, withRead } from './inbox_entries'

vi.mock('@/api/calls', () => ({ inbox: vi.fn(), readInbox: vi.fn() }))

const notification = (id: number, more: object = {}) =>
  ({ type: 'notification', notification_id: id, source_app: 'mes', event_type: 'e', title: `T${id}`, body: null, priority: 'normal', target_type: 'general', room_id: null, created_at: '2026-01-31T12:00:00.000000Z', ...more }) as unknown as NotificationEvent
const told = (id: number, read = false, more: object = {}) => ({ ...notification(id, more), read, matrix_room_id: null, matrix_event_id: null }) as never
const of = (ids: number[]) => ids.map((id) => entryOf(notification(id)))

describe('entries', () => {
  it('are the newest first, each once, and the given one counts', () => {
    const entries = withEntries(of([2]), [...of([1, 3, 3]), entryOf(told(2, true))])
    expect(entries.map(({ id, isRead }) => [id, isRead])).toEqual([[3, false], [2, true], [1, false]])
    // A response from before the user has read does not undo the read state.
    expect(withEntries(entries, of([2]))[1]?.isRead).toBe(true)
  })

  it('are bounded, but for urgent ones that nobody has seen', () => {
    const urgent = entryOf(notification(1, { priority: 'urgent' }))
    const many = of(Array.from({ length: KEPT + 5 }, (_, index) => index + 2))
    const entries = withEntries([urgent], many)
    expect([entries.length, entries.at(-1)?.id]).toEqual([KEPT + 1, 1])
  })

  it('are read by their ids, or all up to one', () => {
    const read = (entries: readonly { id: number; isRead: boolean }[]) => entries.filter(({ isRead }) => isRead).map(({ id }) => id)
    expect([read(withRead(of([3, 2, 1]), [3])), read(withRead(of([3, 2, 1]), [], 2))]).toEqual([[3], [2, 1]])
    const entries = of([1])
    expect(withRead(entries, [9])).toBe(entries)
  })

  it('have words in title and body, regardless of case and accents', () => {
    const entry = entryOf(notification(1, { title: 'Hauptspindel steht', body: 'Kühlmittel fehlt' }))
    const has = (text: string) => hasWords(entry.title, entry.body, text)
    expect(['', 'SPINDEL kuhl', 'Kühl', 'spindel motor'].map(has)).toEqual([true, true, true, false])
  })

  it('keep an entity whose id is 0, and are filtered by it', () => {
    const entry = entryOf(notification(1, { entity_type: 'machine', entity_id: 0 }))
    const filter = { state: 'all' as const, app: '', text: '', entity: { type: 'machine', id: '0' } }
    expect([isShown(entry, filter), isShown(entryOf(notification(2)), filter), isShown(entry, { ...filter, app: 'erp' })]).toEqual([true, false, false])
  })
})

describe('the inbox', () => {
  let number = 0
  const database = (name = `inbox ${(number += 1)}`) => new UserDatabase(name, () => {})
  beforeEach(() => {
    setActivePinia(createPinia())
    vi.mocked(fetchInbox).mockReset().mockResolvedValue({ notifications: [], next_before: null, unread_count: 0 })
    vi.mocked(readInbox).mockReset().mockResolvedValue({ unread_count: 0 })
  })

  it('shows urgent ones of long ago that nobody has seen, and what the service says of others', async () => {
    vi.mocked(fetchInbox).mockImplementation(async (query) => (query.unread ? { notifications: [told(1, false, { priority: 'urgent' })], next_before: null, unread_count: 2 } : { notifications: [told(9), told(8, true)], next_before: 8, unread_count: 2 }))
    const inbox = useInbox()
    await inbox.start(database())
    expect([inbox.entries.map(({ id }) => id), inbox.urgent.map(({ id }) => id), inbox.unreadCount]).toEqual([[9, 8, 1], [1], 2])
  })

  it('tells what was seen when the connection is back, also after a reload', async () => {
    const name = 'inbox of a reload'
    vi.mocked(fetchInbox).mockResolvedValue({ notifications: [told(1)], next_before: null, unread_count: 1 })
    vi.mocked(readInbox).mockRejectedValue(new NoAnswer('cut'))
    const before = useInbox()
    await before.start(database(name))
    before.markRead([1])
    await vi.waitFor(async () => expect((await database(name).get('values', 'unsaid'))?.value).toEqual([1]))
    expect([before.entries[0]?.isRead, before.unreadCount]).toEqual([true, 0])

    setActivePinia(createPinia())
    vi.mocked(readInbox).mockReset().mockResolvedValue({ unread_count: 0 })
    const after = useInbox()
    await after.start(database(name))
    expect(after.entries[0]?.isRead).toBe(true)
    await vi.waitFor(() => expect(readInbox).toHaveBeenCalledWith({ ids: [1] }))
    await vi.waitFor(async () => expect((await database(name).get('values', 'unsaid'))?.value).toEqual([]))
  })

  it('tells again by itself what the service could not store', async () => {
    vi.mocked(fetchInbox).mockResolvedValue({ notifications: [told(1)], next_before: null, unread_count: 1 })
    vi.mocked(readInbox).mockRejectedValueOnce(new ApiError(503, 'database_unavailable', '', null, 1))
    const inbox = useInbox()
    const stored = database()
    await inbox.start(stored)
    inbox.markRead([1])
    await vi.waitFor(() => expect(readInbox).toHaveBeenCalledTimes(2), { timeout: 5_000 })
    await vi.waitFor(async () => expect((await stored.get('values', 'unsaid'))?.value).toEqual([]))
  })

  it('takes a live one once, with its message, and what another device has read', async () => {
    const inbox = useInbox()
    await inbox.start(database())
    expect([inbox.add(notification(5))?.id, inbox.add(notification(5))]).toEqual([5, null])
    inbox.sent({ type: 'notification_sent', notification_id: 5, room_id: '!a', event_id: '$e' })
    expect([inbox.entries[0]?.room, inbox.entries[0]?.eventId, inbox.unreadCount]).toEqual(['!a', '$e', 1])
    inbox.applyRead({ type: 'inbox_read', ids: [5] })
    expect(inbox.entries[0]?.isRead).toBe(true)
    await vi.waitFor(() => expect(inbox.unreadCount).toBe(0))
  })
})
