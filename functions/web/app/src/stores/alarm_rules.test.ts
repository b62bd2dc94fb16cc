// Alarms: the newest object of each, their order, and the effect of acts.
import { describe, expect, it } from 'vitest'
import type { Alarm } from '@/api/types'
import { afterAct, type Alarms, changeOf, compareAlarms, isAlarmShown, isDone, isOfEpisode, KEPT, withAlarms, withOpen } from './alarm_rules'
import { acked, alarmOf, cleared, MAX } from './alarm_sample'
import type { InboxEntry } from './inbox_entries'

const of = (...alarms: Alarm[]): Alarms => withAlarms(new Map(), alarms)

describe('alarms', () => {
  it('take the newer object of an alarm, and repeating one changes nothing', () => {
    const alarms = of(alarmOf(1, { revision: 3 }))
    expect(withAlarms(alarms, [alarmOf(1, { revision: 3, title: 'same' }), alarmOf(1, { revision: 2 })])).toBe(alarms)
    const next = withAlarms(alarms, [alarmOf(1, { revision: 5, occurrences: 9 }), alarmOf(1, { revision: 4 })])
    expect([next.get(1)?.occurrences, alarms.get(1)?.occurrences]).toEqual([9, 1])
  })

  it('are bounded: the oldest of those that are over go first', () => {
    const started = (id: number) => ({ started_at: new Date(id * 1_000).toISOString() })
    const open = Array.from({ length: KEPT - 1 }, (_, index) => alarmOf(index + 10, started(index)))
    const alarms = of(...open, alarmOf(1, { ...cleared(), ...started(1) }), alarmOf(2, { ...cleared(), ...started(2) }))
    expect([alarms.size, alarms.has(1), alarms.has(2)]).toEqual([KEPT, false, true])
  })

  it('that were open before a gap and are not listed any more are over, but not those that came since', () => {
    const known = of(alarmOf(1), alarmOf(2), alarmOf(3, cleared()))
    const meanwhile = withAlarms(known, [alarmOf(4), alarmOf(2, { revision: 2 })])
    expect([...withOpen(meanwhile, [alarmOf(5)], known).keys()]).toEqual([2, 3, 4, 5])
  })

  it('are ordered by acknowledgement, priority and age, whatever their counters say', () => {
    const alarms = [
      alarmOf(1, { ...acked(), priority: 'urgent' }),
      alarmOf(2, { priority: 'low' }),
      alarmOf(3, { priority: 'high', started_at: '2026-01-31T08:00:00.000000Z', occurrences: 900, last_occurred_at: '2026-01-31T09:00:00.000000Z' }),
      alarmOf(4, { priority: 'high' }),
      alarmOf(5, { priority: 'urgent', state: 'rtn_unack' }),
      alarmOf(6, { priority: 'high' }),
    ]
    expect(alarms.toSorted(compareAlarms).map(({ id }) => id)).toEqual([5, 4, 6, 3, 2, 1])
  })

  it('are filtered by priority, app, thing and words', () => {
    const alarm = alarmOf(1, { entity_type: 'machine', entity_id: 7, title: 'Öldruck zu niedrig', body: '2,1 bar' })
    const filter = { isUrgent: false, app: '', text: '', entity: null }
    const shown = (more: object) => isAlarmShown(alarm, { ...filter, ...more })
    expect([{}, { app: 'mes' }, { text: 'oldruck BAR' }, { entity: { type: 'machine', id: '7' } }].map(shown)).toEqual([true, true, true, true])
    expect([{ isUrgent: true }, { app: 'erp' }, { text: 'spindel' }, { entity: { type: 'machine', id: '8' } }].map(shown)).toEqual([false, false, false, false])
  })

  it('belong to the notifications of their newest episode', () => {
    const entry = (id: number) => ({ id }) as InboxEntry
    expect([9, 10, 11].map((id) => isOfEpisode(entry(id), alarmOf(1)))).toEqual([false, true, true])
    expect(isOfEpisode(entry(9), alarmOf(1, { notification_id: null }))).toBe(false)
  })
})

describe('an act', () => {
  const act = (kind: 'ack' | 'unack' | 'resolve') => ({ kind, episode: 1, comment: null })
  const after = (alarm: Alarm, kind: 'ack' | 'unack' | 'resolve') => afterAct(alarm, act(kind), MAX, '2026-01-31T07:20:00Z')

  it('has the effect that the service gives it, and none on an alarm that is over', () => {
    expect([after(alarmOf(1), 'ack').state, after(alarmOf(1, { state: 'rtn_unack' }), 'ack').state]).toEqual(['active_ack', 'normal'])
    expect(after(alarmOf(1), 'ack').acked_by).toMatchObject({ ...MAX, via: 'api' })
    expect([after(alarmOf(1, acked()), 'unack').state, after(alarmOf(1, acked()), 'unack').acked_by]).toEqual(['active_unack', null])
    expect(after(alarmOf(1), 'resolve')).toMatchObject({ state: 'normal', cleared: { by: 'user', display_name: 'Max Müller' }, acked_by: MAX })
    const over = alarmOf(1, cleared())
    for (const kind of ['ack', 'unack', 'resolve'] as const) expect(after(over, kind)).toBe(over)
  })

  it('is done if somebody else has done it, or its episode is over', () => {
    expect([isDone(alarmOf(1), act('ack')), isDone(alarmOf(1, acked()), act('ack'))]).toEqual([false, true])
    expect([isDone(alarmOf(1, acked()), act('resolve')), isDone(alarmOf(1, cleared()), act('resolve'))]).toEqual([false, true])
    expect(isDone(alarmOf(1, { episode: 2 }), act('ack'))).toBe(true)
  })
})

it('people are told of a change of the state once, and never of a counter', () => {
  const before = alarmOf(1)
  const change = (more: Partial<Alarm>, from = before) => changeOf(from, { ...from, revision: 2, ...more })
  expect(change({ occurrences: 2, chattering: true, stale: true, title: 'Neu' })).toBeNull()
  expect([change(acked()), change({ priority: 'urgent' }), change({ ...cleared(), ...acked(), state: 'normal' })]).toEqual(['acked', 'raised', 'cleared'])
  expect([change(cleared('cancel')), change({ state: 'active_unack', acked_by: null }, alarmOf(1, acked()))]).toEqual(['cancelled', 'unacked'])
  // The notification of an episode says it.
  expect([change({ episode: 2 }), change({ state: 'active_unack', cleared: null }, alarmOf(1, cleared()))]).toEqual([null, null])
})
