// The rows of a timeline as they are shown: with day lines, groups, the line of new messages, and what is on its way.
import { dayOf } from '@/composables/times'
import type { OutboxEntry } from '@/platform/records'
import type { Row } from '@/stores/timeline'

/** Messages of one sender within this time are one group, in milliseconds. */
const GROUP = 5 * 60_000

export interface MessageItem {
  kind: 'message'
  key: string
  row: Row
  time: Date
  /** Whether a line with its day stands above it. */
  isNewDay: boolean
  /** Whether the line of new messages stands above it. */
  isFirstNew: boolean
  /** Whether it continues the message above, and shows no name. */
  isContinued: boolean
}

export interface OutboxItem {
  kind: 'outbox'
  key: string
  entry: OutboxEntry
  isContinued: boolean
}

export type Item = MessageItem | OutboxItem

/** Returns the rows of a room, with what is being sent at the end. `firstNew` is the id of the first new message. */
export function itemsOf(rows: readonly Row[], outbox: readonly OutboxEntry[], own: string, firstNew: string | null): Item[] {
  const items: Item[] = []
  for (const [index, row] of rows.entries()) {
    const before = rows[index - 1]
    const time = new Date(row.timestamp)
    const timeBefore = before === undefined ? null : new Date(before.timestamp)
    const isNewDay = timeBefore === null || dayOf(timeBefore) !== dayOf(time)
    const isFirstNew = row.event_id === firstNew
    const isClose = timeBefore !== null && time.getTime() - timeBefore.getTime() < GROUP
    const isContinued = !isNewDay && !isFirstNew && isClose && before?.sender === row.sender
    items.push({ kind: 'message', key: row.event_id, row, time, isNewDay, isFirstNew, isContinued })
  }
  for (const entry of outbox) {
    const last = items.at(-1)
    const isContinued = last?.kind === 'outbox' || (last?.kind === 'message' && last.row.sender === own)
    items.push({ kind: 'outbox', key: entry.txnId, entry, isContinued })
  }
  return items
}

/** Returns the id of the first of the last `unread` messages of others; `null` if all are read. */
export function firstNewOf(rows: readonly Row[], unread: number, own: string): string | null {
  if (unread <= 0) return null
  const others = rows.filter(({ sender, notificationId }) => sender !== own && notificationId === undefined)
  return others[Math.max(0, others.length - unread)]?.event_id ?? null
}

/** Returns whether the next items are the present ones with others before them. */
export function isPrepended(present: readonly Item[], next: readonly Item[]): boolean {
  const [first, last] = [present[0], present.at(-1)]
  return first !== undefined && next[0]?.key !== first.key && next.at(-1)?.key === last?.key && next.length > present.length
}
