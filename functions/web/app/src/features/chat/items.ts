// The rows of a timeline on the page: with day lines, groups, the line of new messages, and outbox entries.
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

export type ItemsOf = (rows: readonly Row[], outbox: readonly OutboxEntry[], own: string, firstNew: string | null) => Item[]

/** Returns a function that makes the items of a room. An item whose row and lines are the same stays the same object. */
export function itemMaker(): ItemsOf {
  const made = new WeakMap<Row, MessageItem & { day: string }>()

  function itemOf(row: Row, before: (MessageItem & { day: string }) | undefined, firstNew: string | null) {
    const known = made.get(row)
    const time = known?.time ?? new Date(row.timestamp)
    const day = known?.day ?? dayOf(time)
    const isNewDay = before?.day !== day
    const isFirstNew = row.event_id === firstNew
    const isClose = before !== undefined && time.getTime() - before.time.getTime() < GROUP
    const isContinued = !isNewDay && !isFirstNew && isClose && before.row.sender === row.sender
    if (known?.isNewDay === isNewDay && known.isFirstNew === isFirstNew && known.isContinued === isContinued) return known
    const item = { kind: 'message' as const, key: row.event_id, row, time, day, isNewDay, isFirstNew, isContinued }
    made.set(row, item)
    return item
  }

  return (rows, outbox, own, firstNew) => {
    const items: Item[] = []
    let before: (MessageItem & { day: string }) | undefined
    for (const row of rows) items.push((before = itemOf(row, before, firstNew)))
    for (const entry of outbox) {
      const last = items.at(-1)
      const isContinued = last?.kind === 'outbox' || (last?.kind === 'message' && last.row.sender === own)
      items.push({ kind: 'outbox', key: entry.txnId, entry, isContinued })
    }
    return items
  }
}

/** Returns the number of messages of others after a time. */
export function missedOf(rows: readonly Row[], since: string, own: string): number {
  let count = 0
  for (let at = rows.length - 1; at >= 0 && (rows[at]?.timestamp ?? '') > since; at -= 1) if (rows[at]?.sender !== own) count += 1
  return count
}

/** The read state when the room was opened: the last read message, and the number of later ones. */
export interface ReadState {
  unread: number
  readUntil: string | null
}

/** Returns the id of the first message of others that was not read; `null` if all are. */
export function firstNewOf(rows: readonly Row[], { unread, readUntil }: ReadState, own: string): string | null {
  if (unread <= 0) return null
  const last = rows.findIndex(({ event_id }) => event_id === readUntil)
  if (last >= 0) return rows.slice(last + 1).find(({ sender }) => sender !== own)?.event_id ?? null
  const others = rows.filter(({ sender, liveNotification }) => sender !== own && liveNotification === undefined)
  return others[Math.max(0, others.length - unread)]?.event_id ?? null
}

/** Returns whether the next items are the present ones with others before them, so that the shown ones must not move. */
export function isPrepended(present: readonly Item[], next: readonly Item[]): boolean {
  const [first, last] = [present[0], present.at(-1)]
  return first !== undefined && next[0]?.key !== first.key && next.at(-1)?.key === last?.key && next.length > present.length
}
