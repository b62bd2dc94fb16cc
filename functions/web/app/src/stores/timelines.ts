// The timelines of the rooms that were opened last.
import { useThrottleFn } from '@vueuse/core'
import { defineStore } from 'pinia'
import { shallowRef } from 'vue'
import { type History, history, type Place } from '@/api/calls'
import { ApiError, type Failure, failureOf } from '@/api/problem'
import type { Alarm, Message, NotificationEvent, NotificationSentEvent, StreamedEvent } from '@/api/types'
import { serverNow } from '@/platform/clock'
import {
  applied, around, changed, EMPTY, mayMissReaction, type Row, rowOf, ROWS_MAX, type Timeline, withAlarm, withMessage, withNewer, withEnd, withNewest, withNotification, withOlder, withoutRow, withSent,
} from './timeline'

/** The most timelines that are kept. */
const KEPT = 20
/** Messages of a page, and the most that the service returns at once. */
const PAGE = 50
const PAGE_MAX = 200
/** The least time between two readings of a room because of its reactions, in milliseconds. */
const RECOUNT = 3_000

export interface OpenTimeline extends Timeline {
  readonly isLoading: boolean
  /** Whether events may have been missed: it is read again. */
  readonly isStale: boolean
  readonly failure: Failure | null
}

const NEW: OpenTimeline = { ...EMPTY, isLoading: false, isStale: false, failure: null }

const from = (token: string | null | undefined): Place => (token ? { from_token: token } : {})

export const useTimelines = defineStore('timelines', () => {
  /** By room; the one that was opened last comes last. */
  const all = shallowRef<ReadonlyMap<string, OpenTimeline>>(new Map())
  /** The room on the page. */
  let shown: string | null = null
  /** The last request of each room: the answer of an earlier one is dropped. */
  const requests = new Map<string, { hasMissed: boolean }>()

  const get = (room: string): OpenTimeline => all.value.get(room) ?? NEW

  function set(room: string, changes: Partial<OpenTimeline>): void {
    all.value = new Map(all.value).set(room, { ...get(room), ...changes })
  }

  /** Makes a room the newest of the kept ones, and reads its newest page, or that of a message, if needed. */
  async function open(room: string, at?: string): Promise<void> {
    shown = room
    const next = new Map(all.value)
    const timeline = get(room)
    next.delete(room)
    next.set(room, timeline)
    for (const oldest of [...next.keys()].slice(0, Math.max(0, next.size - KEPT))) next.delete(oldest)
    all.value = next
    if (at === undefined && !timeline.isLoaded) await loadNewest(room)
  }

  /** Marks the room as no longer on the page. */
  function close(room: string): void {
    if (shown === room) shown = null
  }

  /** Reads the newest messages; of a timeline with rows, all from its first one on. */
  async function loadNewest(room: string): Promise<void> {
    // From a place far back, there may be too many pages to the newest messages: the place is left.
    if (get(room).hasNewer) set(room, EMPTY)
    const known = get(room)
    const first = known.rows[0]
    await load(room, async (readAt) => {
      const page = await historyFrom(room, {}, first)
      return (timeline) => replaced(timeline, page, known, readAt)
    })
  }

  /** Reads again the rows that are here, for the sake of a reader far back: the newest messages are not fetched. */
  async function refresh(room: string): Promise<void> {
    const known = get(room)
    const last = known.rows.findLast(({ liveNotification }) => liveNotification === undefined)
    if (!known.hasNewer || last === undefined) return loadNewest(room)
    await load(room, async (readAt) => {
      const page = await historyFrom(room, { around: last.event_id }, known.rows[0])
      const after = page.start_token ?? null
      return (timeline) => ({ ...replaced(timeline, page, known, readAt), after, hasNewer: after !== null })
    })
  }

  /** Returns the timeline with the messages of a page that reaches its first known row, where it begins as before. */
  function replaced(timeline: OpenTimeline, page: History, known: OpenTimeline, readAt: number): Timeline {
    const first = known.rows[0]
    const messages = page.messages.filter(({ timestamp }) => first === undefined || timestamp >= first.timestamp)
    const next = withNewest(timeline, { ...page, messages }, known.rows, readAt)
    const isSameStart = messages.length < page.messages.length || next.rows[0]?.event_id === first?.event_id
    return isSameStart && first !== undefined ? { ...next, before: known.before, hasMore: known.hasMore } : next
  }

  /** Reads messages from a place back until that of the row, or one page. Pages may be empty: state events stand between. */
  async function historyFrom(room: string, place: Place, first: { timestamp: string } | undefined): Promise<History> {
    const size = first === undefined ? PAGE : PAGE_MAX
    const newest = await history(room, place, size)
    let page = newest
    const messages = [...page.messages]
    const isEnough = () => (first === undefined ? messages.length > 0 : (messages.at(-1)?.timestamp ?? '~') <= first.timestamp || messages.length >= ROWS_MAX)
    while (page.has_more && !isEnough()) {
      page = await history(room, from(page.end_token), size)
      messages.push(...page.messages)
    }
    return { ...page, start_token: newest.start_token ?? null, messages }
  }

  async function loadOlder(room: string): Promise<void> {
    const { hasMore, isLoading, isLoaded, before } = get(room)
    if (!hasMore || isLoading || !isLoaded) return
    await load(room, async (readAt) => {
      let page = await history(room, from(before), PAGE)
      // Without a token, the known pages are read again.
      const isPassed = () => page.messages.length === 0 || (before === null && isKnown(room, page))
      while (page.has_more && isPassed()) page = await history(room, from(page.end_token), PAGE)
      return (timeline) => withOlder(timeline, page, readAt)
    })
  }

  async function loadNewer(room: string): Promise<void> {
    const { hasNewer, isLoading, after, rows } = get(room)
    const last = rows.at(-1)
    if (!hasNewer || isLoading || last === undefined) return
    await load(room, async (readAt) => {
      let page = await history(room, after === null ? { around: last.event_id } : { from_token: after, direction: 'forward' }, PAGE)
      while (page.messages.length === 0 && page.start_token) page = await history(room, { from_token: page.start_token, direction: 'forward' }, PAGE)
      return (timeline) => withNewer(timeline, page, readAt)
    })
  }

  /** Makes a message one of the rows. Returns whether it is there. */
  async function jump(room: string, event_id: string): Promise<boolean> {
    const isThere = () => get(room).rows.some((row) => row.event_id === event_id)
    if (!isThere()) {
      await load(room, async (readAt) => {
        const page = await history(room, { around: event_id }, PAGE)
        return (timeline) => withEnd(around(page, readAt), timeline)
      })
    }
    // A missing message is not a failure of the room.
    const { failure, isLoaded } = get(room)
    if (failure instanceof ApiError && failure.status === 404) {
      set(room, { failure: null })
      if (!isLoaded) await loadNewest(room)
    }
    return isThere()
  }

  /** Repeats the failed request. */
  function retry(room: string): Promise<void> {
    const { isLoaded, isStale, hasNewer } = get(room)
    if (!isLoaded || isStale) return refresh(room)
    return hasNewer ? loadNewer(room) : loadOlder(room)
  }

  async function load(room: string, read: (readAt: number) => Promise<(timeline: OpenTimeline) => Timeline>): Promise<void> {
    const request = { hasMissed: false }
    requests.set(room, request)
    set(room, { isLoading: true, failure: null })
    const isLast = () => requests.get(room) === request && all.value.has(room)
    try {
      const merge = await read(serverNow())
      if (!isLast()) return
      const next = merge(get(room))
      set(room, { ...next, hasNewer: next.hasNewer || request.hasMissed, isLoading: false, isStale: false })
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
    // The page that is being read may end before this, which is left out as long as newer messages are not here.
    const request = requests.get(room)
    if (timeline.hasNewer && request !== undefined) request.hasMissed = true
    const changed = next(timeline)
    if (changed !== timeline) set(room, changed)
  }

  function add(message: Message): void {
    change(message.room_id, (timeline) => withMessage(timeline, rowOf(message, serverNow())))
  }

  function apply(event: StreamedEvent, own: string): void {
    if (!('room_id' in event) || typeof event.room_id !== 'string') return
    const room = event.room_id
    if (event.type === 'message_redacted' && mayMissReaction(get(room), event.event_id)) void recount(room)
    change(room, (timeline) => applied(timeline, event, own))
  }

  /** Reads the open room again: a reaction that only the history has counted is gone. */
  const recount = useThrottleFn((room: string) => (room === shown ? refresh(room) : forget(room)), RECOUNT, true)

  /** A timeline that may be wrong and is not on the page is read again when it is opened. */
  function forget(room: string): void {
    const left = new Map(all.value)
    if (left.delete(room)) all.value = left
  }

  /** Changes one row of a room. */
  function changeRow(room: string, event_id: string, next: (row: Row) => Row): void {
    change(room, (timeline) => changed(timeline, event_id, next))
  }

  /** Removes a message that this user has deleted. */
  function remove(room: string, event_id: string): void {
    change(room, (timeline) => withoutRow(timeline, event_id))
  }

  function addNotification(event: NotificationEvent, bot: string): void {
    if (!event.room_id) return
    const at = new Date(serverNow()).toISOString()
    change(event.room_id, (timeline) => withNotification(timeline, event, bot, at))
  }

  /** The message of a notification stands in its room. */
  function notificationSent({ room_id, notification_id, event_id }: NotificationSentEvent): void {
    change(room_id, (timeline) => withSent(timeline, notification_id, event_id))
  }

  function alarmChanged(alarm: Alarm): void {
    if (alarm.room_id !== null) change(alarm.room_id, (timeline) => withAlarm(timeline, alarm))
  }

  /** Reads the room on the page again after a gap; all other rooms are read when they are opened. */
  function reset(): void {
    all.value = new Map([...all.value].filter(([room]) => room === shown).map(([room, timeline]) => [room, { ...timeline, isStale: true }]))
    if (shown !== null && all.value.has(shown)) void refresh(shown)
  }

  return { all, get, open, close, loadNewest, loadOlder, loadNewer, jump, retry, add, apply, changeRow, remove, addNotification, notificationSent, alarmChanged, reset }
})
