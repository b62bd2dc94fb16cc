// The timelines of the rooms that were opened last.
import { defineStore } from 'pinia'
import { shallowRef } from 'vue'
import { type History, history } from '@/api/calls'
import { type Failure, failureOf } from '@/api/problem'
import type { Message, NotificationEvent, StreamedEvent } from '@/api/types'
import { serverNow } from '@/platform/clock'
import { applied, EMPTY, type Timeline, withMessage, withNewest, withNotification, withOlder } from './timeline'

/** Timelines that are kept. */
const KEPT = 20
/** Messages of a page. */
const PAGE = 50

export interface OpenTimeline extends Timeline {
  readonly isLoading: boolean
  readonly failure: Failure | null
}

const NEW: OpenTimeline = { ...EMPTY, isLoading: false, failure: null }

export const useTimelines = defineStore('timelines', () => {
  /** By room; the one that was opened last comes last. */
  const all = shallowRef<ReadonlyMap<string, OpenTimeline>>(new Map())

  const get = (room: string): OpenTimeline => all.value.get(room) ?? NEW

  function set(room: string, changes: Partial<OpenTimeline>): void {
    all.value = new Map(all.value).set(room, { ...get(room), ...changes })
  }

  /** Makes a room the newest of those that are kept, and reads its newest page if need be. */
  async function open(room: string): Promise<void> {
    const next = new Map(all.value)
    const timeline = get(room)
    next.delete(room)
    next.set(room, timeline)
    for (const oldest of [...next.keys()].slice(0, Math.max(0, next.size - KEPT))) next.delete(oldest)
    all.value = next
    if (!timeline.isLoaded) await loadNewest(room)
  }

  /** Reads the newest page: at the beginning, and after a gap. */
  async function loadNewest(room: string): Promise<void> {
    await load(room, null, withNewest)
  }

  async function loadOlder(room: string): Promise<void> {
    const { hasMore, isLoading, isLoaded, before } = get(room)
    if (hasMore && isLoaded && !isLoading) await load(room, before, withOlder)
  }

  async function load(room: string, from: string | null, merge: typeof withNewest): Promise<void> {
    set(room, { isLoading: true, failure: null })
    try {
      let page = await history(room, from, PAGE)
      // A page may be empty although there is more: state events of the room stand between. Or all of it is known.
      const isSearching = from === null && merge === withOlder
      for (let has = page; has.has_more && (has.messages.length === 0 || (isSearching && isKnown(room, has))); has = page) {
        page = await history(room, has.end_token ?? null, PAGE)
      }
      set(room, { ...merge(get(room), page), isLoading: false })
    } catch (thrown) {
      set(room, { isLoading: false, failure: failureOf(thrown) })
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

  /** After a gap: what is shown is read again, all else when it is opened. */
  function reset(shown: string | null): void {
    all.value = new Map([...all.value].filter(([room]) => room === shown))
    if (shown !== null && all.value.has(shown)) void loadNewest(shown)
  }

  return { all, get, open, loadNewest, loadOlder, add, apply, addNotification, reset }
})
