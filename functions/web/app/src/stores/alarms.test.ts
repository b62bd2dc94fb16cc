// The store of alarms: live events, gaps, and acts that succeed, fail or come too late.
import { createPinia, setActivePinia } from 'pinia'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { actOnAlarm, alarm as fetchAlarm, alarms as fetchAlarms } from '@/api/alarms'
import { ApiError, NoAnswer } from '@/api/problem'
import type { Alarm, NotificationEvent } from '@/api/types'
import { acked, alarmOf, cleared } from './alarm_sample'
import { useAlarms } from './alarms'
import { useInbox } from './inbox'
import { useUrgent } from './urgent'

vi.mock('@/api/alarms', () => ({ actOnAlarm: vi.fn(), alarm: vi.fn(), alarms: vi.fn() }))
vi.mock('@/api/calls', () => ({ inbox: vi.fn(async () => ({ notifications: [], next_before: null, unread_count: 0 })), readInbox: vi.fn(async () => ({ unread_count: 0 })) }))
const session = vi.hoisted(() => ({ me: { hub_user_id: 'mueller', display_name: 'Max Müller' }, isReader: false }))
vi.mock('./session', () => ({ useSession: () => session }))

const event = (alarm: Alarm) => ({ type: 'alarm' as const, alarm })
const list = (...alarms: Alarm[]) => ({ alarms, next_cursor: null })
const notification = (id: number, more: object = {}) =>
  ({ type: 'notification', notification_id: id, source_app: 'mes', event_type: 'e', title: `T${id}`, body: null, priority: 'normal', target_type: 'general', room_id: null, created_at: '2026-01-31T12:00:00.000000Z', ...more }) as unknown as NotificationEvent
const refused = (status: number, code: string) => new ApiError(status, code, '', null, null)

beforeEach(() => {
  setActivePinia(createPinia())
  session.isReader = false
  vi.mocked(fetchAlarms).mockReset().mockResolvedValue(list())
  vi.mocked(fetchAlarm).mockReset()
  vi.mocked(actOnAlarm).mockReset()
})

/** Returns the store with these alarms. */
async function storeOf(...given: Alarm[]) {
  vi.mocked(fetchAlarms).mockResolvedValueOnce(list(...given))
  const alarms = useAlarms()
  await alarms.load()
  return alarms
}
const one = (alarms: ReturnType<typeof useAlarms>) => alarms.all.get(1)

describe('alarms', () => {
  it('are read in pages, and an older service has none', async () => {
    vi.mocked(fetchAlarms).mockResolvedValueOnce({ alarms: [alarmOf(1)], next_cursor: '5.1' }).mockResolvedValueOnce(list(alarmOf(2)))
    const alarms = useAlarms()
    await alarms.load()
    expect([alarms.open.map(({ id }) => id), alarms.isLoaded]).toEqual([[1, 2], true])
    expect(fetchAlarms).toHaveBeenLastCalledWith(expect.objectContaining({ state: 'open', cursor: '5.1' }))
    vi.mocked(fetchAlarms).mockRejectedValueOnce(refused(404, 'not_found'))
    await alarms.load()
    expect([alarms.isSupported, alarms.failure]).toEqual([false, null])
  })

  it('that cannot be read say so, and what was known stays', async () => {
    const alarms = await storeOf(alarmOf(1))
    vi.mocked(fetchAlarms).mockRejectedValueOnce(refused(503, 'database_unavailable'))
    await alarms.load()
    expect([alarms.failure?.name, alarms.isSupported, alarms.open.length]).toEqual(['ApiError', true, 1])
  })

  it('that are over are read once they are wanted, and with each reading from then on', async () => {
    const alarms = await storeOf(alarmOf(1))
    vi.mocked(fetchAlarms).mockImplementation(async (query) => (query.state === 'open' ? list(alarmOf(1)) : list(alarmOf(2, cleared()))))
    await alarms.loadLatest()
    await alarms.loadLatest()
    expect([[...alarms.all.keys()], vi.mocked(fetchAlarms).mock.calls.length]).toEqual([[1, 2], 2])
    await alarms.load()
    expect(vi.mocked(fetchAlarms).mock.calls.length).toBe(4)
    vi.mocked(fetchAlarms).mockRejectedValue(new NoAnswer('cut'))
    setActivePinia(createPinia())
    await useAlarms().loadLatest()
    expect(useAlarms().failure).toBeNull()
  })

  it('change by newer events only, and a change of the state is told once', async () => {
    const alarms = await storeOf(alarmOf(1))
    expect(alarms.apply(event(alarmOf(1, { revision: 2, occurrences: 12 })))).toBeNull()
    expect(alarms.apply(event(alarmOf(1, { revision: 3, ...acked() })))).toBe('acked')
    expect(alarms.apply(event(alarmOf(1, { revision: 3, ...acked() })))).toBeNull()
    expect(alarms.apply(event(alarmOf(1, { revision: 2 })))).toBeNull()
    expect(one(alarms)?.state).toBe('active_ack')
  })

  it('that ended in a gap leave the list', async () => {
    const alarms = await storeOf(alarmOf(1), alarmOf(2))
    vi.mocked(fetchAlarms).mockResolvedValueOnce(list(alarmOf(2)))
    await alarms.load()
    expect(alarms.open.map(({ id }) => id)).toEqual([2])
  })

  it('are found by their notification, by its id or by that of the alarm', async () => {
    const alarms = await storeOf(alarmOf(1))
    const inbox = useInbox()
    const [first, again] = [inbox.add(notification(10)), inbox.add(notification(14, { alarm_id: 1 }))]
    const before = inbox.add(notification(4, { alarm_id: 1 }))
    const other = inbox.add(notification(15))
    expect([first, again, before, other].map((entry) => entry && alarms.ofEntry(entry)?.id)).toEqual([1, 1, undefined, undefined])
  })
})

describe('an act', () => {
  it('is shown at once, and names the episode that the user saw', async () => {
    const alarms = await storeOf(alarmOf(1, { episode: 3 }))
    let answer: (value: { alarm: Alarm; changed: boolean }) => void = () => {}
    vi.mocked(actOnAlarm).mockReturnValueOnce(new Promise((resolve) => (answer = resolve)))
    const done = alarms.act(alarmOf(1, { episode: 3 }), 'ack')
    expect([one(alarms)?.state, one(alarms)?.acked_by?.display_name, alarms.isBusy(1)]).toEqual(['active_ack', 'Max Müller', true])
    // A counter that comes meanwhile does not take it back.
    alarms.apply(event(alarmOf(1, { episode: 3, revision: 2, occurrences: 5 })))
    expect([one(alarms)?.state, one(alarms)?.occurrences]).toEqual(['active_ack', 5])
    answer({ alarm: alarmOf(1, { episode: 3, revision: 4, ...acked() }), changed: true })
    await done
    expect([one(alarms)?.revision, alarms.isBusy(1)]).toEqual([4, false])
    expect(actOnAlarm).toHaveBeenCalledExactlyOnceWith(1, { kind: 'ack', episode: 3, comment: null })
  })

  it('that got no answer is taken back, and sent again by the user', async () => {
    const alarms = await storeOf(alarmOf(1))
    vi.mocked(actOnAlarm).mockRejectedValueOnce(new NoAnswer('offline'))
    await alarms.act(alarmOf(1), 'resolve')
    expect([one(alarms)?.state, alarms.acts.get(1)?.kind, alarms.acts.get(1)?.failure?.name]).toEqual(['active_unack', 'resolve', 'NoAnswer'])
    vi.mocked(actOnAlarm).mockResolvedValueOnce({ alarm: alarmOf(1, { revision: 2, ...cleared('user') }), changed: true })
    await alarms.retry(1)
    expect([one(alarms)?.state, alarms.acts.size, alarms.open.length]).toEqual(['normal', 0, 0])
  })

  it('that got no answer needs no further attempt if the alarm says that it is done', async () => {
    const alarms = await storeOf(alarmOf(1))
    vi.mocked(actOnAlarm).mockRejectedValueOnce(new NoAnswer('cut'))
    await alarms.act(alarmOf(1), 'ack')
    alarms.apply(event(alarmOf(1, { revision: 2, occurrences: 2 })))
    expect(alarms.acts.size).toBe(1)
    alarms.apply(event(alarmOf(1, { revision: 3, ...acked('matrix') })))
    expect(alarms.acts.size).toBe(0)
  })

  it('on an earlier episode is refused, and the present one is shown', async () => {
    const alarms = await storeOf(alarmOf(1))
    vi.mocked(actOnAlarm).mockRejectedValueOnce(refused(409, 'episode_over'))
    vi.mocked(fetchAlarm).mockResolvedValueOnce(alarmOf(1, { episode: 2, revision: 9, notification_id: 90 }))
    await alarms.act(alarmOf(1), 'ack')
    expect([one(alarms)?.episode, one(alarms)?.state]).toEqual([2, 'active_unack'])
    expect(alarms.acts.get(1)?.failure).toMatchObject({ code: 'episode_over' })
    alarms.dismiss(1)
    expect(alarms.acts.size).toBe(0)
  })

  it('marks the notifications of the alarm as seen', async () => {
    const alarms = await storeOf(alarmOf(1))
    const inbox = useInbox()
    for (const given of [notification(10), notification(14, { alarm_id: 1 }), notification(15)]) inbox.add(given)
    vi.mocked(actOnAlarm).mockResolvedValueOnce({ alarm: alarmOf(1, { revision: 2, ...acked() }), changed: true })
    await alarms.act(alarmOf(1), 'ack')
    expect(inbox.entries.filter(({ isRead }) => !isRead).map(({ id }) => id)).toEqual([15])
  })
})

describe('what is urgent', () => {
  const urgent = { priority: 'urgent' as const }
  const titles = () => useUrgent().all.map(({ title }) => title)

  it('stays until somebody acknowledges the alarm, whatever was seen', async () => {
    const alarms = await storeOf(alarmOf(1, urgent))
    const inbox = useInbox()
    inbox.add(notification(10, { ...urgent, alarm_id: 1 }))
    expect([titles(), useUrgent().all[0]?.notification]).toEqual([['Störung 1'], 10])
    inbox.markRead([10])
    expect(titles()).toEqual(['Störung 1'])
    alarms.apply(event(alarmOf(1, { ...urgent, revision: 2, state: 'rtn_unack' })))
    expect(useUrgent().all.map(({ isLoud }) => isLoud)).toEqual([false])
    alarms.apply(event(alarmOf(1, { ...urgent, revision: 3, ...acked() })))
    expect(titles()).toEqual([])
  })

  it('is an unseen notification without an alarm, or one whose alarm needs no acknowledgement', async () => {
    await storeOf(alarmOf(1, { ...urgent, state: 'active_ack', ack_required: false }))
    const inbox = useInbox()
    for (const id of [10, 7]) inbox.add(notification(id, urgent))
    expect(titles()).toEqual(['T10', 'T7'])
    inbox.markRead([10])
    expect(titles()).toEqual(['T7'])
  })

  it('begins with active alarms, then with the newest', async () => {
    await storeOf(alarmOf(1, urgent), alarmOf(2, { ...urgent, active_since: '2026-01-31T08:00:00.000000Z' }), alarmOf(3, { ...urgent, state: 'rtn_unack' }))
    for (const id of [5, 7]) useInbox().add(notification(id, { ...urgent, created_at: `2026-01-31T13:00:0${id}.000000Z` }))
    expect(titles()).toEqual(['Störung 2', 'Störung 1', 'T7', 'T5', 'Störung 3'])
  })

  it('ends for a viewer, who cannot acknowledge, when it was seen', async () => {
    session.isReader = true
    await storeOf(alarmOf(1, urgent))
    const inbox = useInbox()
    inbox.add(notification(10, { ...urgent, alarm_id: 1 }))
    expect(titles()).toEqual(['Störung 1'])
    inbox.markRead([10])
    expect(titles()).toEqual([])
  })
})
