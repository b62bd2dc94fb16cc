// The timeline of a delivery.
import { expect, it } from 'vitest'
import { stepsOf } from './timeline'

const accepted = { at: '2026-01-31T12:00:00Z', source_app: 'mes', request_id: '4711' }
const failure = (attempt: number, next_attempt_at: string | null) => ({ attempt, at: `2026-01-31T12:0${attempt}:00Z`, reason: 'homeserver_unavailable', detail: 'refused', next_attempt_at })

it('a pending notification names its next attempt once, at the last failure', () => {
  const steps = stepsOf({ accepted, failures: [failure(1, '2026-01-31T12:02:00Z'), failure(2, '2026-01-31T12:04:00Z')], sent: null, ended: null })
  expect(steps.map(({ kind }) => kind)).toEqual(['accepted', 'failed', 'failed'])
  expect(steps.map((step) => ('nextAt' in step ? step.nextAt : '-'))).toEqual(['-', null, '2026-01-31T12:04:00Z'])
})

it('a sent one ends with its event, and has no next attempt any more', () => {
  const sent = { at: '2026-01-31T12:03:00Z', matrix_room_id: '!r', matrix_event_id: '$e' }
  const steps = stepsOf({ accepted, failures: [failure(1, '2026-01-31T12:02:00Z')], sent, ended: null })
  expect(steps.at(-1)).toEqual({ kind: 'sent', at: sent.at, eventId: '$e', roomId: '!r' })
  expect(steps.some((step) => 'nextAt' in step && step.nextAt !== null)).toBe(false)
})

it('a cancelled one ends without a time', () => {
  const steps = stepsOf({ accepted, failures: [], sent: null, ended: { status: 'cancelled', reason: null, at: null } })
  expect(steps.at(-1)).toEqual({ kind: 'ended', at: null, status: 'cancelled', reason: null })
})
