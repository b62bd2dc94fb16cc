// The rooms of the user, with unread counts and last messages. Changed by events; the list itself comes by `load`.
import { useThrottleFn } from '@vueuse/core'
import { defineStore } from 'pinia'
import { computed, ref, shallowRef } from 'vue'
import { markRead, rooms as fetchRooms } from '@/api/calls'
import { type Failure, failureOf } from '@/api/problem'
import type { NewMessageEvent, Room, RoomLeftEvent, StreamedEvent, UnreadEvent } from '@/api/types'
import { type RepeatedCall, untilTaken } from './retry'
import { compareActivity, sectionOf, SECTIONS } from './sections'

/** The least time between two readings of the list because of events, in milliseconds. */
const AGAIN = 2_000

/** A room of which this user is no longer a member. */
export interface LeftRoom {
  readonly name: string
  /** Whether an administrator has closed it for all members. */
  readonly isClosed: boolean
}

/** Returns whether a message mentions this user. */
export const isMentioning = ({ mentions }: Pick<NewMessageEvent, 'mentions'>, me: string): boolean => mentions?.room || mentions?.hub_user_ids.includes(me) || false

export const useRooms = defineStore('rooms', () => {
  const all = shallowRef<ReadonlyMap<string, Room>>(new Map())
  /** The rooms that were left while this page is open. */
  const left = shallowRef<ReadonlyMap<string, LeftRoom>>(new Map())
  const isLoaded = ref(false)
  const failure = shallowRef<Failure | null>(null)
  /** The room that the user is reading: its messages are not counted. */
  const readRoom = ref<string | null>(null)
  let loading: Promise<void> | null = null
  let mustLoadAgain = false
  /** The list of the early sign-in, for the first reading. */
  let early: Promise<Room[] | null> | null = null
  /** The last message of each room that an event has brought, by its id. */
  const lastMessages = new Map<string, string>()

  const sections = computed(() => {
    const sorted = [...all.value.values()].toSorted(compareActivity)
    return SECTIONS.map((name) => ({ name, rooms: sorted.filter((room) => sectionOf(room) === name) }))
  })
  const unreadCount = computed(() => [...all.value.values()].reduce((sum, room) => sum + (room.muted ? room.mention_count : room.unread_count), 0))

  /** Reads the list again. A call during a reading causes one more. */
  function load(): Promise<void> {
    if (loading !== null) {
      mustLoadAgain = true
      return loading
    }
    loading = (async () => {
      do {
        mustLoadAgain = false
        await read()
      } while (mustLoadAgain)
    })().finally(() => (loading = null))
    return loading
  }

  /** Takes the list of the early sign-in in place of the first reading. */
  function expect(list: Promise<Room[] | null>): void {
    early = list
  }

  async function fetchFirst(): Promise<Room[]> {
    const list = early
    early = null
    return (await list) ?? (await fetchRooms())
  }

  const loadSoon = useThrottleFn(() => void load(), AGAIN, true)

  async function read(): Promise<void> {
    try {
      const list = await (early === null ? fetchRooms() : fetchFirst())
      all.value = new Map(list.map((room) => [room.matrix_room_id, room]))
      failure.value = null
      isLoaded.value = true
    } catch (thrown) {
      failure.value = failureOf(thrown)
    }
  }

  function put(room: Room): void {
    all.value = new Map(all.value).set(room.matrix_room_id, room)
  }

  function change(id: string, changes: Partial<Room>): void {
    const room = all.value.get(id)
    if (room !== undefined) put({ ...room, ...changes })
  }

  function remove(id: string): void {
    const others = new Map(all.value)
    if (others.delete(id)) all.value = others
    lastMessages.delete(id)
  }

  const reports = new Map<string, RepeatedCall>()
  const unreported = new Set<string>()
  /** Reports to the service that the user has read a room; again only while they read it, since more may have come. */
  function reportRead(id: string): void {
    const report = reports.get(id) ?? untilTaken(async () => (unreported.delete(id) || readRoom.value === id ? markRead(id) : null))
    reports.set(id, report)
    unreported.add(id)
    report.begin()
  }

  /** Reports again at once, since the connection is back. */
  function reportAgain(): void {
    for (const report of reports.values()) report.retryNow()
  }

  function leave({ room_id: id, room, reason }: RoomLeftEvent): void {
    const name = all.value.get(id)?.display_name ?? room?.display_name ?? ''
    left.value = new Map(left.value).set(id, { name, isClosed: reason === 'closed' })
    remove(id)
  }

  /** Applies an event of the feed. `own` is the Matrix id of the user, `me` that of the Hub. */
  function apply(event: StreamedEvent, own: string, me = ''): void {
    // The list that is being read may be older or newer than the event, so it is read once more.
    if (loading !== null) mustLoadAgain = true
    if (event.type === 'new_message') applyMessage(event, own, me)
    else if (event.type === 'unread') applyUnread(event)
    else if (event.type === 'room_muted') change(event.room_id, { muted: event.muted })
    else if (event.type === 'room_left') leave(event)
    else if (event.type === 'room_joined') void load()
    else if (event.type === 'notification' && event.room_id) void loadSoon()
    else if (event.type === 'message_edited' && !event.redacted) applyChange(event, event.body)
    else if (event.type === 'message_redacted') applyChange(event, null)
  }

  function applyMessage(event: NewMessageEvent, own: string, me: string): void {
    const room = all.value.get(event.room_id)
    if (event.redacted) return
    if (room === undefined) return void load()
    // The list has this event already: it is a repetition, or from before the list was read.
    if (room.last_message_ts !== null && event.timestamp <= room.last_message_ts) return
    lastMessages.set(event.room_id, event.event_id)
    const isMentioned = isMentioning(event, me)
    const isCounted = event.sender !== own && readRoom.value !== event.room_id
    put({
      ...room,
      last_message: event.body,
      last_message_ts: event.timestamp,
      unread_count: room.unread_count + (isCounted ? 1 : 0),
      mention_count: room.mention_count + (isCounted && isMentioned ? 1 : 0),
    })
  }

  /** Applies a read event of any device: up to the last message, or to one that is not known here. */
  function applyUnread({ room_id, unread_count, mention_count }: UnreadEvent): void {
    const read_event_id = unread_count === 0 ? (lastMessages.get(room_id) ?? null) : null
    change(room_id, { unread_count, mention_count, read_event_id })
  }

  /** A changed message may be the last one of its room. If that is not known here, the list is read again. */
  function applyChange({ room_id, event_id }: { room_id: string; event_id: string }, body: string | null): void {
    const last = lastMessages.get(room_id)
    if (!all.value.has(room_id) || (last !== undefined && last !== event_id)) return
    if (last === event_id && body !== null) change(room_id, { last_message: body })
    else void loadSoon()
  }

  return { all, left, sections, unreadCount, isLoaded, failure, readRoom, load, expect, put, change, remove, apply, reportRead, reportAgain }
})
