// The timelines of the rooms that were opened last.
import { defineStore } from 'pinia'
import { shallowRef } from 'vue'
import { type History, history } from '@/api/calls'
import { type Failure, failureOf } from '@/api/problem'
import type { Message, NotificationEvent, StreamedEvent } from '@/api/types'
import { serverNow } from '@/platform/clock'
import { applied, EMPTY, ROWS_MAX, type Timeline, withMessage, withNewest, withNotification, withOlder } from './timeline'

/** Timelines that are kept. */
const KEPT = 20
/** Messages of a page, and the most that the service returns at once. */
const PAGE = 50
const PAGE_MAX = 200

export interface OpenTimeline extends Timeline {
  readonly isLoading: boolean
  /** Whether events may have been missed: it is read again. */
  readonly isStale: boolean
  readonly failure: Failure | null
}

const NEW: OpenTimeline = { ...EMPTY, isLoading: false, isStale: false, failure: null }

export const useTimelines = defineStore('timelines', () => {
  /** By room; the one that was opened last comes last. */
  const all = shallowRef<ReadonlyMap<string, OpenTimeline>>(new Map())
  /** The room on the page. */
  let shown: string | null = null
  /** The last request of each room: the answer of an earlier one is dropped. */
  const requests = new Map<string, symbol>()

  const get = (room: string): OpenTimeline => all.value.get(room) ?? NEW

  function set(room: string, changes: Partial<OpenTimeline>): void {
    all.value = new Map(all.value).set(room, { ...get(room), ...changes })
  }

  /** Makes a room the newest of those that are kept, and reads its newest page if need be. */
  async function open(room: string): Promise<void> {
    shown = room
    const next = new Map(all.value)
    const timeline = get(room)
    next.delete(room)
    next.set(room, timeline)
    for (const oldest of [...next.keys()].slice(0, Math.max(0, next.size - KEPT))) next.delete(oldest)
    all.value = next
    if (!timeline.isLoaded) await loadNewest(room)
  }

  /** The room is on the page no more. */
  function close(room: string): void {
    if (shown === room) shown = null
  }

  /** Reads the newest messages; of a timeline with rows, all from its first one on. */
  async function loadNewest(room: string): Promise<void> {
    const known = get(room)
    const first = known.rows[0]
    await load(room, async () => {
      const page = await historyFrom(room, first)
      const messages = page.messages.filter(({ timestamp }) => first === undefined || timestamp >= first.timestamp)
      return (timeline) => {
        const next = withNewest(timeline, { ...page, messages }, known.rows)
        const isSameStart = messages.length < page.messages.length || next.rows[0]?.event_id === first?.event_id
        return isSameStart && first !== undefined ? { ...next, before: known.before, hasMore: known.hasMore } : next
      }
    })
  }

  /** Reads the newest messages until that of the row, or one page. Pages may be empty: state events stand between. */
  async function historyFrom(room: string, first: { timestamp: string } | undefined): Promise<History> {
    let page = await history(room, null, first === undefined ? PAGE : PAGE_MAX)
    const messages = [...page.messages]
    const isEnough = () => (first === undefined ? messages.length > 0 : (messages.at(-1)?.timestamp ?? '~') <= first.timestamp || messages.length >= ROWS_MAX)
    while (page.has_more && !isEnough()) {
      page = await history(room, page.end_token ?? null, first === undefined ? PAGE : PAGE_MAX)
      messages.push(...page.messages)
    }
    return { ...page, messages }
  }

  async function loadOlder(room: string): Promise<void> {
    const { hasMore, isLoading, isLoaded, before } = get(room)
    if (!hasMore || isLoading || !isLoaded) return
    await load(room, async () => {
      let page = await history(room, before, PAGE)
      // Without a token, the pages that are known are read over.
      const isPassed = () => page.messages.length === 0 || (before === null && isKnown(room, page))
      while (page.has_more && isPassed()) page = await history(room, page.end_token ?? null, PAGE)
      return (timeline) => withOlder(timeline, page)
    })
  }

  /** Reads once more what has failed. */
  function retry(room: string): Promise<void> {
    const { isLoaded, isStale } = get(room)
    return isLoaded && !isStale ? loadOlder(room) : loadNewest(room)
  }

  async function load(room: string, read: () => Promise<(timeline: OpenTimeline) => Timeline>): Promise<void> {
    const request = Symbol(room)
    requests.set(room, request)
    set(room, { isLoading: true, failure: null })
    const isLast = () => requests.get(room) === request && all.value.has(room)
    try {
      const merge = await read()
      if (isLast()) set(room, { ...merge(get(room)), isLoading: false, isStale: false })
    } catch (thrown) {
      const failure = failureOf(thrown)
      if (isLast()) set(room, { isLoading: false, failure })
    } finally {
      if (requests.get(room) === request) requests.delete(room)
    }
  }

  function isKnown(room: string, page: History): boolean {
    const known = new Set(get(room).rows.map(({ event_id }) => event_id))
    return page.messages.every(({ event_id }) => known.has(event_id))
  }

  function change(room: string, next: (timeline: OpenTimeline) => Timeline): void {
    const timeline = all.value.get(room)
    if (timeline === undefined) return
    const changed = next(timeline)
    if (changed !== timeline) set(room, changed)
  }

  function add(message: Message): void {
    change(message.room_id, (timeline) => withMessage(timeline, message))
  }

  function apply(event: StreamedEvent): void {
    if ('room_id' in event && typeof event.room_id === 'string') change(event.room_id, (timeline) => applied(timeline, event))
  }

  function addNotification(event: NotificationEvent, bot: string): void {
    if (!event.room_id) return
    const at = new Date(serverNow()).toISOString()
    change(event.room_id, (timeline) => withNotification(timeline, event, bot, at))
  }

  /** After a gap: what is on the page is read again, all else when it is opened. */
  function reset(): void {
    all.value = new Map([...all.value].filter(([room]) => room === shown).map(([room, timeline]) => [room, { ...timeline, isStale: true }]))
    if (shown !== null && all.value.has(shown)) void loadNewest(shown)
  }

  return { all, get, open, close, loadNewest, loadOlder, retry, add, apply, addNotification, reset }
})
