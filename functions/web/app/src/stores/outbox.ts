// The outbox: entries are kept in IndexedDB until the service has answered, sent in order within a room, and repeated
// under the same transaction id until it is certain.
import { defineStore } from 'pinia'
import { computed, shallowReactive, shallowRef } from 'vue'
import { sendMessage } from '@/api/calls'
import { ApiError, NoAnswer } from '@/api/problem'
import type { Message, NewMessageEvent } from '@/api/types'
import { type Upload, upload } from '@/api/upload'
import { serverNow } from '@/platform/clock'
import type { UserDatabase } from '@/platform/database'
import { randomId } from '@/platform/ids'
import { Backoff } from './retry'
import { textOf } from './texts'
import type { OutboxEntry } from '@/platform/records'

/** The code of a reply whose message was deleted: it is sent without the reference, or not at all. */
export const REPLY_GONE = 'reply_gone'

export const useOutbox = defineStore('outbox', () => {
  const entries = shallowRef<readonly OutboxEntry[]>([])
  /** The fraction of each file that was sent, by transaction id. */
  const progress = shallowReactive(new Map<string, number>())
  /** Entries whose message came by the feed before the response: they are no longer shown. */
  const arrived = shallowReactive(new Set<string>())
  const shown = computed(() => entries.value.filter(({ txnId }) => !arrived.has(txnId)))
  const isEmpty = computed(() => entries.value.length === 0)

  const uploads = new Map<string, Upload>()
  const cancelled = new Set<string>()
  /** The rooms whose entries are being sent, each with its pauses. */
  const working = new Map<string, Backoff>()
  let database: UserDatabase | null = null
  let onSent: (message: Message) => void = () => {}

  /** Continues with the entries of an earlier page. Its requests may have arrived: they keep their ids. */
  async function start(stored: UserDatabase, sent: (message: Message) => void): Promise<void> {
    ;[database, onSent] = [stored, sent]
    const left = await stored.all('outbox')
    const resumed = left.map((entry) => (entry.state === 'sending' ? { ...entry, state: 'unknown' as const } : entry))
    const known = new Set(entries.value.map(({ txnId }) => txnId))
    entries.value = [...resumed.filter(({ txnId }) => !known.has(txnId)), ...entries.value].toSorted((a, b) => a.createdAt - b.createdAt)
    for (const room of new Set(entries.value.map(({ room }) => room))) void work(room)
  }

  async function add(room: string, content: Pick<OutboxEntry, 'body' | 'replyTo' | 'mentions' | 'chosen'> | { file: File }): Promise<void> {
    const createdAt = Math.max(serverNow(), (entries.value.at(-1)?.createdAt ?? 0) + 1)
    const base = { txnId: randomId(), room, createdAt, state: 'waiting' as const, code: null, detail: null }
    const entry: OutboxEntry = { ...base, body: '', file: null, ...content }
    entries.value = [...entries.value, entry]
    // It is stored before it is sent, so that the text survives the end of this page.
    await database?.put('outbox', entry)
    void work(room)
  }

  /** Sends the entries of a room, one after the other. A refused one does not hold up the next ones. */
  async function work(room: string): Promise<void> {
    if (working.has(room)) return
    const backoff = new Backoff()
    working.set(room, backoff)
    for (let entry = next(room); entry !== undefined; entry = next(room)) {
      const wait = await attempt(entry)
      if (wait === null) backoff.reset()
      else await backoff.wait(wait)
    }
    working.delete(room)
  }

  const next = (room: string) => entries.value.find((entry) => entry.room === room && entry.state !== 'failed')

  /** Sends an entry. Returns the least pause before the next attempt; `null` if none follows. */
  async function attempt(entry: OutboxEntry): Promise<number | null> {
    const { txnId } = entry
    update(txnId, { state: 'sending' })
    try {
      const message = await request(entry)
      // The message is added before the entry is removed: both may be shown for a moment, but never none.
      onSent(message)
      await remove(txnId)
      return null
    } catch (thrown) {
      if (cancelled.delete(txnId)) {
        await remove(txnId)
        return null
      }
      return failed(txnId, thrown)
    } finally {
      uploads.delete(txnId)
      progress.delete(txnId)
    }
  }

  function request({ room, body, file, txnId, replyTo, mentions }: OutboxEntry): Promise<Message> {
    if (file === null) return sendMessage(room, { ...textOf(body, mentions), ...(replyTo === undefined ? {} : { reply_to: replyTo }) }, txnId)
    const started = upload(room, file, txnId, (part) => progress.set(txnId, part))
    uploads.set(txnId, started)
    return started.done
  }

  function failed(txnId: string, thrown: unknown): number | null {
    if (thrown instanceof NoAnswer) {
      update(txnId, { state: 'unknown' })
      return 0
    }
    if (!(thrown instanceof ApiError)) {
      update(txnId, { state: 'failed', code: 'internal_error', detail: String(thrown) })
      return null
    }
    // 401: the overlay asks to sign in. 502 and 504: the message may have arrived.
    if (thrown.status === 401 || thrown.isTemporary) {
      update(txnId, { state: thrown.status === 502 || thrown.status === 504 ? 'unknown' : 'waiting' })
      return (thrown.retryAfter ?? 0) * 1000
    }
    const code = thrown.fields.includes('/reply_to') ? REPLY_GONE : thrown.code
    update(txnId, { state: 'failed', code, detail: thrown.message })
    return null
  }

  function update(txnId: string, changes: Partial<OutboxEntry>): void {
    entries.value = entries.value.map((entry) => (entry.txnId === txnId ? { ...entry, ...changes } : entry))
    const entry = entries.value.find((one) => one.txnId === txnId)
    if (entry !== undefined) void database?.put('outbox', entry)
  }

  async function remove(txnId: string): Promise<void> {
    await database?.remove('outbox', txnId)
    entries.value = entries.value.filter((entry) => entry.txnId !== txnId)
    arrived.delete(txnId)
  }

  /** Ends all pauses, after a new connection or a new sign-in. */
  function retryNow(): void {
    for (const backoff of working.values()) backoff.end()
  }

  /** Sends a failed entry again; a reply whose message is gone, without the reference. */
  function retry(txnId: string): void {
    const isReplyGone = entries.value.some((one) => one.txnId === txnId && one.code === REPLY_GONE)
    update(txnId, { state: 'waiting', code: null, detail: null, ...(isReplyGone ? { replyTo: undefined } : {}) })
    const entry = entries.value.find((one) => one.txnId === txnId)
    if (entry !== undefined) void work(entry.room)
  }

  /** Removes a failed entry, or a file that is being sent. */
  async function discard(txnId: string): Promise<void> {
    const started = uploads.get(txnId)
    if (started === undefined) return remove(txnId)
    cancelled.add(txnId)
    started.cancel()
  }

  /** Hides an entry whose message has come by the feed before the response. */
  function matchEcho({ txn_id }: NewMessageEvent): void {
    if (txn_id && entries.value.some(({ txnId }) => txnId === txn_id)) arrived.add(txn_id)
  }

  return { shown, isEmpty, progress, start, add, retry, retryNow, discard, matchEcho }
})
