// The outbox: no message is lost or duplicated, in order, whatever happens to the requests.
import 'fake-indexeddb/auto'
import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { sendMessage } from '@/api/calls'
import { ApiError, NoAnswer } from '@/api/problem'
import type { Message, NewMessageEvent } from '@/api/types'
import { UserDatabase } from '@/platform/database'
import { useOutbox } from './outbox'

vi.mock('@/api/calls', () => ({ sendMessage: vi.fn() }))
vi.mock('@/api/upload', () => ({ upload: vi.fn() }))

const send = vi.mocked(sendMessage)
const answer = (body: string): Message => ({
  event_id: `$${body}`, room_id: '!a', sender: '@me:hub', sender_display_name: 'Ich', body, msg_type: 'm.text', timestamp: '2026-01-31T12:00:00Z',
  reply_to: null, formatted_body: null, mentions: { hub_user_ids: [], room: false }, edited: false, reactions: [],
})
let number = 0
const database = (name = `outbox ${(number += 1)}`) => new UserDatabase(name, () => {})

beforeEach(() => {
  setActivePinia(createPinia())
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] })
})
afterEach(() => {
  vi.useRealTimers()
  send.mockReset()
})

/** Lets requests, the database and pauses continue. */
async function pass(milliseconds: number): Promise<void> {
  for (let step = 0; step < 20; step += 1) {
    await vi.advanceTimersByTimeAsync(milliseconds / 20)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

describe('the outbox', () => {
  it('sends in the order in which it was written, and forgets what was answered', async () => {
    const sent: string[] = []
    send.mockImplementation(async (_, { body }) => answer(body))
    const outbox = useOutbox()
    await outbox.start(database(), ({ body }) => void sent.push(body))
    for (const body of ['1', '2', '3']) void outbox.add('!a', { body })
    await pass(200)
    expect(sent).toEqual(['1', '2', '3'])
    expect(outbox.shown).toEqual([])
  })

  it('repeats a request that broke off under the same id, before it sends the next one', async () => {
    send.mockRejectedValueOnce(new NoAnswer('cut')).mockImplementation(async (_, { body }) => answer(body))
    const outbox = useOutbox()
    await outbox.start(database(), () => {})
    void outbox.add('!a', { body: 'eins' })
    void outbox.add('!a', { body: 'zwei' })
    await pass(100)
    expect(outbox.shown.map(({ state }) => state)).toEqual(['unknown', 'waiting'])
    await pass(5_000)
    expect(send.mock.calls.map(([, { body }]) => body)).toEqual(['eins', 'eins', 'zwei'])
    expect(send.mock.calls[0]?.[2]).toBe(send.mock.calls[1]?.[2])
    expect(outbox.shown).toEqual([])
  })

  it('waits while the service is away, and keeps a refused message for its writer', async () => {
    send
      .mockRejectedValueOnce(new ApiError(503, 'homeserver_unavailable', '', null, null))
      .mockRejectedValueOnce(new ApiError(409, 'room_encrypted', 'no', 'r1', null))
      .mockImplementation(async (_, { body }) => answer(body))
    const outbox = useOutbox()
    await outbox.start(database(), () => {})
    void outbox.add('!a', { body: 'eins' })
    void outbox.add('!a', { body: 'zwei' })
    await pass(100)
    expect(outbox.shown[0]?.state).toBe('waiting')
    await pass(5_000)
    expect(outbox.shown).toMatchObject([{ body: 'eins', state: 'failed', code: 'room_encrypted' }])
    outbox.retry(outbox.shown[0]?.txnId ?? '')
    await pass(100)
    expect(outbox.shown).toEqual([])
  })

  it('takes up after a reload what an earlier page left, under the same id', async () => {
    const name = 'outbox of a reload'
    send.mockImplementation(() => new Promise(() => {}))
    const before = useOutbox()
    await before.start(database(name), () => {})
    void before.add('!a', { body: 'vor dem Neuladen' })
    await pass(100)
    const [, , txnId] = send.mock.calls[0] ?? []

    setActivePinia(createPinia())
    send.mockImplementation(async (_, { body }) => answer(body))
    const after = useOutbox()
    await after.start(database(name), () => {})
    await pass(200)
    expect(send.mock.calls[1]).toEqual(['!a', { body: 'vor dem Neuladen' }, txnId])
    expect(await database(name).all('outbox')).toEqual([])
  })

  it('hides what the feed has brought, and only one of two with the same text', async () => {
    send.mockImplementation(() => new Promise(() => {}))
    const outbox = useOutbox()
    await outbox.start(database(), () => {})
    void outbox.add('!a', { body: 'ok' })
    void outbox.add('!a', { body: 'ok' })
    await pass(100)
    const txn_id = outbox.shown[0]?.txnId ?? ''
    outbox.matchEcho({ type: 'new_message', ...answer('ok'), txn_id } as NewMessageEvent)
    outbox.matchEcho({ type: 'new_message', ...answer('ok') } as NewMessageEvent)
    expect(outbox.shown).toHaveLength(1)
    expect(outbox.shown[0]?.txnId).not.toBe(txn_id)
  })

  it('sends replies and mentions with the text', async () => {
    send.mockImplementation(async (_, { body }) => answer(body))
    const outbox = useOutbox()
    await outbox.start(database(), () => {})
    const mentions = { hub_user_ids: ['anna'], room: false }
    void outbox.add('!a', { body: '**Ja**', replyTo: '$1', mentions })
    await pass(100)
    expect(send.mock.calls[0]?.[1]).toEqual({ body: '**Ja**', format: 'markdown', reply_to: '$1', mentions })
  })

  it('says that the message of a reply is gone, and sends it again without the reference', async () => {
    send.mockRejectedValueOnce(new ApiError(422, 'invalid_request', 'reply_to: must be the event_id of a message of this room', null, null, ['/reply_to']))
    const outbox = useOutbox()
    await outbox.start(database(), () => {})
    void outbox.add('!a', { body: 'Ja', replyTo: '$gone' })
    await pass(100)
    const [entry] = outbox.shown
    expect([entry?.state, entry?.code]).toEqual(['failed', 'reply_gone'])
    send.mockImplementation(async (_, { body }) => answer(body))
    outbox.retry(entry?.txnId ?? '')
    await pass(100)
    expect([send.mock.calls[1]?.[1], outbox.isEmpty]).toEqual([{ body: 'Ja' }, true])
  })
})
