// One tab leads: one stream for all tabs, a new leader when it closes, and one again when two have led.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Channel, lead } from './leader'
import type { Feed, FeedOptions, FeedState } from './protocol'

interface Stream {
  options: Omit<FeedOptions, 'key'>
  isOpen: boolean
}

/** Channels of one name: each receives the messages of the others; a frozen one receives none. */
class Channels {
  readonly all = new Set<Channel & { isFrozen: boolean }>()

  open(): Channel & { isFrozen: boolean } {
    const { all } = this
    const self: Channel & { isFrozen: boolean } = {
      isFrozen: false,
      onmessage: null,
      close: () => void all.delete(self),
      postMessage(data: unknown) {
        for (const other of all) if (other !== self && !other.isFrozen && !self.isFrozen) queueMicrotask(() => other.onmessage?.call(other as unknown as BroadcastChannel, { data } as MessageEvent))
      },
    }
    all.add(self)
    return self
  }
}

const LIVE = { name: 'live', since: new Date(0), reason: 'streaming' } as FeedState
let channels: Channels
let streams: Stream[]

beforeEach(() => {
  vi.useFakeTimers()
  channels = new Channels()
  streams = []
})
afterEach(() => vi.useRealTimers())

function tab() {
  const heard: string[] = []
  const channel = channels.open()
  const options = { key: '1:me', base: '', token: 't', lastEventId: '1', onEvent: (_: unknown, id: string | null) => void heard.push(id ?? ''), onState: (state: FeedState) => void heard.push(state.name), onPosition: () => {} }
  const feed = lead(options, channel, (given): Feed => {
    const stream: Stream = { options: given, isOpen: true }
    streams.push(stream)
    given.onState(LIVE)
    return { renew: (token) => void (given.token = token), close: () => void (stream.isOpen = false) }
  })
  return { feed, heard, channel }
}

const open = () => streams.filter(({ isOpen }) => isOpen)
const event = (id: string) => open()[0]?.options.onEvent({ type: 'unread' } as never, id)

describe('the tab that leads', () => {
  it('is one of all, and the others hear what it hears', async () => {
    const tabs = [tab(), tab(), tab()]
    await vi.advanceTimersByTimeAsync(10_000)
    expect(open()).toHaveLength(1)
    event('2')
    await vi.advanceTimersByTimeAsync(0)
    for (const { heard } of tabs) expect(heard.slice(-1)).toEqual(['2'])
    const late = tab()
    await vi.advanceTimersByTimeAsync(10_000)
    expect(late.heard[0]).toBe('live')
    expect(streams).toHaveLength(1)
  })

  it('is followed by another one at once when it goes, from the same position', async () => {
    const first = tab()
    await vi.advanceTimersByTimeAsync(5_000)
    const others = [tab(), tab()]
    event('7')
    await vi.advanceTimersByTimeAsync(0)
    first.feed.close()
    await vi.advanceTimersByTimeAsync(700)
    expect(open()).toHaveLength(1)
    expect(open()[0]?.options.lastEventId).toBe('7')
    event('8')
    await vi.advanceTimersByTimeAsync(0)
    for (const { heard } of others) expect(heard.at(-1)).toBe('8')
  })

  it('is replaced when it is frozen, and steps back when it wakes', async () => {
    const first = tab()
    await vi.advanceTimersByTimeAsync(5_000)
    const second = tab()
    await vi.advanceTimersByTimeAsync(1_000)
    first.channel.isFrozen = true
    await vi.advanceTimersByTimeAsync(15_000)
    expect(streams).toHaveLength(2)
    first.channel.isFrozen = false
    streams[1]?.options.onEvent({ type: 'unread' } as never, '9')
    await vi.advanceTimersByTimeAsync(100)
    expect(open()).toEqual([streams[1]])
    expect(first.heard.at(-1)).toBe('9')
    expect(second.heard.at(-1)).toBe('9')
  })

  it('gets the token with which somebody has signed in again in another tab', async () => {
    tab()
    await vi.advanceTimersByTimeAsync(5_000)
    const second = tab()
    await vi.advanceTimersByTimeAsync(1_000)
    second.feed.renew('fresh')
    await vi.advanceTimersByTimeAsync(0)
    expect(open()[0]?.options.token).toBe('fresh')
  })
})
