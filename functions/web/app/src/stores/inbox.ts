// The notifications of this user, live and from the service, with their read state on
// any device.
import { useThrottleFn } from '@vueuse/core'
import { defineStore } from 'pinia'
import { computed, ref, shallowRef } from 'vue'
import { type InboxQuery, inbox as fetchInbox, readInbox } from '@/api/calls'
import { ApiError, type Failure, failureOf } from '@/api/problem'
import type { InboxReadEvent, NotificationEvent, NotificationSentEvent } from '@/api/types'
import type { UserDatabase } from '@/platform/database'
import { entryOf, type InboxEntry, withEntries, withRead } from './inbox_entries'
import { untilTaken } from './retry'

/** Entries of the first page, and urgent ones that may be further back. */
const FIRST = 100
const URGENT = 50
/** Ids that a call names at most, and the least time between two counts, in milliseconds. */
const IDS_MAX = 200
const RECOUNT = 2_000

export const useInbox = defineStore('inbox', () => {
  const entries = shallowRef<readonly InboxEntry[]>([])
  /** Unread ones of the whole inbox: counted by the service up to 1000, and by events since then. */
  const unreadCount = ref(0)
  const isLoaded = ref(false)
  const failure = shallowRef<Failure | null>(null)
  /** Notifications that were seen here and are not yet reported to the service. */
  const unsaid = new Set<number>()
  let database: UserDatabase | null = null

  /** Urgent ones stay on top of every page until the user has seen them. */
  const urgent = computed(() => entries.value.filter(({ isUrgent, isRead }) => isUrgent && !isRead))

  async function start(stored: UserDatabase): Promise<void> {
    database = stored
    const kept = (await stored.get('values', 'unsaid'))?.value
    if (Array.isArray(kept)) for (const id of kept) if (typeof id === 'number') unsaid.add(id)
    await load()
  }

  /** Reads the newest entries, and unseen urgent ones. */
  async function load(): Promise<void> {
    try {
      const [newest, ringing] = await Promise.all([fetchInbox({ limit: FIRST }), fetchInbox({ limit: URGENT, priority: 'urgent', unread: true })])
      put([...ringing.notifications, ...newest.notifications].map(entryOf))
      unreadCount.value = Math.max(0, newest.unread_count - unsaid.size)
      failure.value = null
      isLoaded.value = true
      void tell()
    } catch (thrown) {
      failure.value = failureOf(thrown)
    }
  }

  /** Reads a page of a list. Returns the cursor of the next page; `null` at the end. */
  async function page(query: InboxQuery): Promise<{ ids: number[]; next: number | null }> {
    const { notifications, next_before } = await fetchInbox(query)
    const read = notifications.map(entryOf)
    put(read)
    return { ids: read.map(({ id }) => id), next: next_before }
  }

  /** Stores entries. One that was seen here stays read, even if the service returns it as unread. */
  function put(given: readonly InboxEntry[]): void {
    entries.value = withRead(withEntries(entries.value, given), [...unsaid])
  }

  /** Adds a notification that came live. Returns its entry; `null` if it is known. */
  function add(event: NotificationEvent): InboxEntry | null {
    const entry = entryOf(event)
    if (entries.value.some(({ id }) => id === entry.id)) return null
    put([entry])
    unreadCount.value += 1
    // A repeated old event may have been read on another device: the service has its state.
    if (isLoaded.value) void recount()
    return entry
  }

  /** The message of a notification stands in its room. */
  function sent({ notification_id, room_id, event_id }: NotificationSentEvent): void {
    const entry = entries.value.find(({ id }) => id === notification_id)
    if (entry !== undefined) put([{ ...entry, room: room_id, eventId: event_id }])
  }

  /** Applies a read event of any device. */
  function applyRead({ up_to, ids }: InboxReadEvent): void {
    entries.value = withRead(entries.value, ids ?? [], up_to ?? 0)
    void recount()
  }

  const recount = useThrottleFn(count, RECOUNT, true)
  async function count(): Promise<void> {
    const answer = await fetchInbox({ limit: 1 }).catch(() => null)
    if (answer !== null) unreadCount.value = Math.max(0, answer.unread_count - unsaid.size)
  }

  /** Marks entries as seen: here at once, and on all devices when the service has stored it. */
  function markRead(ids: readonly number[]): void {
    const unread = new Set(entries.value.filter(({ isRead }) => !isRead).map(({ id }) => id))
    const seen = ids.filter((id) => unread.has(id))
    if (seen.length === 0) return
    for (const id of seen) unsaid.add(id)
    entries.value = withRead(entries.value, seen)
    unreadCount.value = Math.max(0, unreadCount.value - seen.length)
    void tell()
  }

  /** Marks all as seen, also those that were not read from the service. */
  async function markAllRead(): Promise<void> {
    const newest = entries.value[0]
    if (newest === undefined) return
    unreadCount.value = (await readInbox({ up_to: newest.id })).unread_count
    entries.value = withRead(entries.value, [], newest.id)
  }

  /** Marks entries whose message stands in a room that is being read. Urgent ones need a tap. */
  function markRoomRead(room: string): void {
    markRead(entries.value.filter((entry) => entry.room === room && !entry.isUrgent && !entry.isRead).map(({ id }) => id))
  }

  /** Reports seen notifications to the service until it has taken them: until then they ring on other devices. */
  const report = untilTaken(async () => {
    try {
      for (let ids = [...unsaid].slice(0, IDS_MAX); ids.length > 0; ids = [...unsaid].slice(0, IDS_MAX)) {
        const { unread_count } = await readInbox({ ids }).catch(refusal)
        for (const id of ids) unsaid.delete(id)
        unreadCount.value = Math.max(0, (unread_count ?? unreadCount.value) - unsaid.size)
      }
    } finally {
      await keepUnsaid()
    }
  })

  const keepUnsaid = async () => database?.put('values', { key: 'unsaid', value: [...unsaid] })

  async function tell(): Promise<void> {
    await keepUnsaid()
    if (unsaid.size > 0) report.begin()
  }

  /** Reports at once, since the connection is back. */
  function tellNow(): void {
    report.retryNow()
    void tell()
  }

  return { entries, unreadCount, urgent, isLoaded, failure, start, load, page, add, sent, applyRead, markRead, markAllRead, markRoomRead, tellNow }
})

/** A refusal that a repetition does not change ends the report; all other failures throw. */
function refusal(thrown: unknown): { unread_count?: number } {
  const failure = failureOf(thrown)
  if (failure instanceof ApiError && failure.status !== 401 && !failure.isTemporary) return {}
  throw failure
}
