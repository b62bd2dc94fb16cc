// The findings of the dashboard.
import { expect, it } from 'vitest'
import type { Statistics } from '@/api/admin'
import { findingsOf, isWell } from './findings'

const calm: Statistics = {
  total_users: 10,
  provisioned_users: 10,
  rooms_by_type: { general: 1, dm: 0, entity: 0, service: 0, custom: 0 },
  messages: 0,
  sse_connections: 0,
  conduit_status: 'online',
  homeserver: { status: 'online', since: null },
  queue: { pending: 0, held: 0, oldest_seconds: null, queues: 0 },
  failures: { failed_24h: 0, expired_24h: 0, by_reason: {} },
  sends_per_minute: Array.from({ length: 60 }, () => 0),
  version: '0.1.0',
}

it('nothing is said while all is well, also of a notification that is just on its way', () => {
  expect(findingsOf(calm)).toEqual([])
  expect(findingsOf({ ...calm, queue: { pending: 4, held: 0, oldest_seconds: 2, queues: 1 } })).toEqual([])
})

it('notifications that wait for a homeserver that is away are named first, with that reason', () => {
  const away: Statistics = { ...calm, homeserver: { status: 'offline', since: null }, queue: { pending: 3, held: 1, oldest_seconds: 240, queues: 1 } }
  const [first, second] = findingsOf(away)
  expect(first).toEqual({ kind: 'waiting', tone: 'danger', count: 3, seconds: 240, isHomeserverAway: true })
  expect(second).toEqual({ kind: 'held', tone: 'neutral', count: 1 })
})

it('a homeserver that is away is a fault also while nothing waits', () => {
  expect(findingsOf({ ...calm, homeserver: { status: 'offline', since: null } })).toEqual([{ kind: 'homeserver', tone: 'danger' }])
})

it('a late queue is a fault although the homeserver answers', () => {
  const late: Statistics = { ...calm, queue: { pending: 1, held: 0, oldest_seconds: 181, queues: 1 } }
  expect(findingsOf(late)[0]).toMatchObject({ kind: 'waiting', tone: 'danger', isHomeserverAway: false })
})

it('what waits for a person is said, and is no fault', () => {
  const waiting = findingsOf({ ...calm, provisioned_users: 8, queue: { pending: 0, held: 2, oldest_seconds: null, queues: 0 } })
  expect(waiting.map(({ kind }) => kind)).toEqual(['held', 'accounts'])
  expect(isWell(waiting)).toBe(true)
  expect(isWell(findingsOf({ ...calm, failures: { failed_24h: 1, expired_24h: 0, by_reason: {} } }))).toBe(false)
})
