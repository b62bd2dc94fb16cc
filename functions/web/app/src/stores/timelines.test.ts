// The open timelines: the rows that are read again after a gap, and the place of the reader.
import { createPinia, setActivePinia } from 'pinia'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { type History, history, type Place } from '@/api/calls'
import type { Message, StreamedEvent } from '@/api/types'
import { useTimelines } from './timelines'

vi.mock('@/api/calls', () => ({ history: vi.fn() }))

const ROOM = '!a'
const said = (number: number): Message => ({
  event_id: `$${number}`, room_id: ROOM, sender: '@anna:hub', sender_display_name: 'Anna', body: `Zeile ${number}`, msg_type: 'm.text', timestamp: new Date(number * 1_000).toISOString(),
  reply_to: null, formatted_body: null, mentions: { hub_user_ids: [], room: false }, edited: false, reactions: [],
})

/** The room at the service, oldest first. Tokens are places between its messages. */
let room: Message[] = []

function answer(_: string, place: Place, limit = 50): Promise<History> {
  const at = 'around' in place ? room.findIndex(({ event_id }) => event_id === place.around) : Number(place.from_token ?? room.length)
  const [from, to] = 'around' in place ? [at - limit / 2, at + limit / 2] : place.direction === 'forward' ? [at, at + limit] : [at - limit, at]
  const [first, end] = [Math.max(0, from), Math.min(room.length, to)]
  const page = { messages: room.slice(first, end).toReversed(), end_token: first > 0 ? String(first) : null, has_more: first > 0 }
  return Promise.resolve({ ...page, start_token: end < room.length ? String(end) : null })
}

/** Returns a store whose user reads a message far back. */
async function farBack() {
  const timelines = useTimelines()
  await timelines.open(ROOM, '$500')
  await timelines.jump(ROOM, '$500')
  return timelines
}
const ids = (timelines: ReturnType<typeof useTimelines>) => timelines.get(ROOM).rows.map(({ event_id }) => event_id)

beforeEach(() => {
  setActivePinia(createPinia())
  room = Array.from({ length: 1_000 }, (_, index) => said(index + 1))
  vi.mocked(history).mockReset().mockImplementation(answer)
})

describe('timelines', () => {
  it('keep the place of a reader far back when events were missed, with what has changed there', async () => {
    const timelines = await farBack()
    const before = ids(timelines)
    room = room.filter(({ event_id }) => event_id !== '$490').map((message) => (message.event_id === '$495' ? { ...message, body: 'geändert', edited: true } : message))
    timelines.reset()
    await vi.waitFor(() => expect(timelines.get(ROOM)).toMatchObject({ isLoading: false, isStale: false }))
    expect(ids(timelines).filter((id) => before.includes(id))).toEqual(before.filter((id) => id !== '$490'))
    expect(timelines.get(ROOM).rows.find(({ event_id }) => event_id === '$495')?.body).toBe('geändert')
    expect(timelines.get(ROOM)).toMatchObject({ hasNewer: true, hasMore: true })
    expect(ids(timelines)).not.toContain('$1000')
  })

  it('go on from there to the newest message', async () => {
    const timelines = await farBack()
    timelines.reset()
    await vi.waitFor(() => expect(timelines.get(ROOM).isLoading).toBe(false))
    while (timelines.get(ROOM).hasNewer) await timelines.loadNewer(ROOM)
    const shown = ids(timelines)
    expect(shown.at(-1)).toBe('$1000')
    expect(new Set(shown).size).toBe(shown.length)
    expect(shown).toEqual(room.slice(room.length - shown.length).map(({ event_id }) => event_id))
  })

  it('keep the place when a reaction is withdrawn that only the history had counted', async () => {
    const timelines = await farBack()
    room = room.map((message) => (message.event_id === '$500' ? { ...message, reactions: [{ key: '👍', count: 1, own_event: false }] } : message))
    timelines.reset()
    await vi.waitFor(() => expect(timelines.get(ROOM).rows.some(({ reactions }) => reactions.length > 0)).toBe(true))
    room = room.map((message) => ({ ...message, reactions: [] }))
    timelines.apply({ type: 'message_redacted', room_id: ROOM, event_id: '$reaction' } as StreamedEvent, '@me:hub')
    await vi.waitFor(() => expect(timelines.get(ROOM).rows.every(({ reactions }) => reactions.length === 0)).toBe(true))
    expect(ids(timelines)).toContain('$500')
    expect(timelines.get(ROOM).hasNewer).toBe(true)
  })

  it('of a reader near the end take the newest messages', async () => {
    const timelines = useTimelines()
    await timelines.open(ROOM)
    room = [...room, said(1_001)]
    timelines.reset()
    await vi.waitFor(() => expect(ids(timelines).at(-1)).toBe('$1001'))
    expect(ids(timelines)[0]).toBe('$951')
  })
})
