// The notifications of this user that came by the feed, newest first, with what was seen on this machine.
import { defineStore } from 'pinia'
import { computed, ref, shallowRef } from 'vue'
import type { NotificationEvent } from '@/api/types'
import { serverNow } from '@/platform/clock'
import type { UserDatabase } from '@/platform/database'
import type { InboxEntry } from '@/platform/records'

/** Notifications that are kept. */
const KEPT = 500

/** Returns the entry of a notification that arrives at this time. */
export function entryOf(event: NotificationEvent, at: number): InboxEntry {
  const created = Date.parse((event as { created_at?: string }).created_at ?? '')
  return {
    id: event.notification_id,
    app: event.source_app,
    title: event.title,
    body: event.body ?? '',
    isUrgent: event.priority === 'urgent',
    isDirect: event.target_type === 'dm',
    entityType: event.entity_type ?? null,
    entityId: event.entity_id == null ? null : String(event.entity_id),
    room: event.room_id ?? null,
    at: Number.isNaN(created) ? at : created,
    isRead: false,
  }
}

/** Adds entries, newest first. Those that are known change nothing. */
export function withEntries(entries: readonly InboxEntry[], added: readonly InboxEntry[]): readonly InboxEntry[] {
  const known = new Set(entries.map(({ id }) => id))
  const fresh = new Map(added.filter(({ id }) => !known.has(id)).map((entry) => [entry.id, entry]))
  return fresh.size === 0 ? entries : [...entries, ...fresh.values()].toSorted((a, b) => b.id - a.id)
}

export const useInbox = defineStore('inbox', () => {
  const entries = shallowRef<readonly InboxEntry[]>([])
  const isLoaded = ref(false)
  let database: UserDatabase | null = null

  const unread = computed(() => entries.value.filter(({ isRead }) => !isRead))
  /** Urgent ones stay on top of every page until somebody has seen them. */
  const urgent = computed(() => unread.value.filter(({ isUrgent }) => isUrgent))

  async function start(stored: UserDatabase): Promise<void> {
    database = stored
    entries.value = withEntries(entries.value, await stored.all('inbox'))
    isLoaded.value = true
    trim()
  }

  /** Adds a notification. Returns its entry; `null` if it is known. */
  function add(event: NotificationEvent): InboxEntry | null {
    const entry = entryOf(event, serverNow())
    const next = withEntries(entries.value, [entry])
    if (next === entries.value) return null
    entries.value = next
    void database?.put('inbox', entry)
    trim()
    return entry
  }

  function trim(): void {
    const dropped = entries.value.slice(KEPT)
    if (dropped.length === 0) return
    entries.value = entries.value.slice(0, KEPT)
    for (const { id } of dropped) void database?.remove('inbox', id)
  }

  /** Sets the room of a notification that came while its room was being made. */
  function setRoom(id: number, room: string): void {
    entries.value = entries.value.map((entry) => (entry.id === id ? { ...entry, room } : entry))
    const entry = entries.value.find((one) => one.id === id)
    if (entry !== undefined) void database?.put('inbox', entry)
  }

  function markRead(ids: readonly number[]): void {
    const read = new Set(ids)
    entries.value = entries.value.map((entry) => {
      if (!read.has(entry.id) || entry.isRead) return entry
      const next = { ...entry, isRead: true }
      void database?.put('inbox', next)
      return next
    })
  }

  return { entries, unread, urgent, isLoaded, start, add, setRoom, markRead }
})
