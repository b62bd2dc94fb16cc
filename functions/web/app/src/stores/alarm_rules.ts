// The alarms of a tenant. Pure: each function returns the next state, and repeating it changes nothing.
import type { AlarmAct } from '@/api/alarms'
import type { AckedBy, Alarm } from '@/api/types'
import { type InboxEntry, hasWords } from './inbox_entries'

/** The most alarms that are kept. */
export const KEPT = 2_000

export type Alarms = ReadonlyMap<number, Alarm>

export const isOpen = ({ state }: Alarm): boolean => state !== 'normal'
/** Returns whether somebody has to acknowledge it. */
export const isUnacked = ({ state }: Alarm): boolean => state === 'active_unack' || state === 'rtn_unack'

/** Takes alarms. One that is known with the same or a greater revision changes nothing. */
export function withAlarms(alarms: Alarms, given: readonly Alarm[]): Alarms {
  const newer = given.filter(({ id, revision }) => (alarms.get(id)?.revision ?? -1) < revision)
  if (newer.length === 0) return alarms
  const next = new Map(alarms)
  for (const alarm of newer) if ((next.get(alarm.id)?.revision ?? -1) < alarm.revision) next.set(alarm.id, alarm)
  return bounded(next)
}

/**
 * Takes the list of all open alarms. `known` are the alarms at its request: one that was open then, has not changed
 * since, and is not in the list is over, and its end is not known.
 */
export function withOpen(alarms: Alarms, list: readonly Alarm[], known: Alarms): Alarms {
  const listed = new Set(list.map(({ id }) => id))
  const isOver = (alarm: Alarm) => isOpen(alarm) && !listed.has(alarm.id) && known.get(alarm.id) === alarm
  const left = [...alarms].filter(([, alarm]) => !isOver(alarm))
  return withAlarms(left.length === alarms.size ? alarms : new Map(left), list)
}

/** Drops alarms beyond the limit: first those that are over, the oldest first. */
function bounded(alarms: Alarms): Alarms {
  if (alarms.size <= KEPT) return alarms
  const sorted = [...alarms.values()].toSorted((a, b) => Number(isOpen(b)) - Number(isOpen(a)) || (a.started_at < b.started_at ? 1 : -1))
  return new Map(sorted.slice(0, KEPT).map((alarm) => [alarm.id, alarm]))
}

const PRIORITIES = { urgent: 0, high: 1, normal: 2, low: 3 }

/** Orders alarms: unacknowledged ones first, then by priority, then the oldest first. Counters change no place. */
export function compareAlarms(a: Alarm, b: Alarm): number {
  const rank = Number(isUnacked(b)) - Number(isUnacked(a)) || PRIORITIES[a.priority] - PRIORITIES[b.priority]
  if (rank !== 0 || a.started_at === b.started_at) return rank || a.id - b.id
  return a.started_at < b.started_at ? -1 : 1
}

/** Returns whether a notification belongs to the newest episode of its alarm. */
export const isOfEpisode = ({ id }: InboxEntry, { notification_id }: Alarm): boolean => notification_id !== null && id >= notification_id

/** The alarms that a list shows. */
export interface AlarmFilter {
  isUrgent: boolean
  app: string
  /** Words in title or body. */
  text: string
  entity: { type: string; id: string } | null
}

export function isAlarmShown(alarm: Alarm, { isUrgent, app, text, entity }: AlarmFilter): boolean {
  if (isUrgent && alarm.priority !== 'urgent') return false
  if (entity !== null && (alarm.entity_type !== entity.type || String(alarm.entity_id ?? '') !== entity.id)) return false
  return (app === '' || alarm.source_app === app) && hasWords(alarm.title, alarm.body ?? '', text)
}

/** The user who acts here. */
export type Operator = Pick<AckedBy, 'hub_user_id' | 'display_name'>

/** Returns an alarm as an act of this user is about to change it. */
export function afterAct(alarm: Alarm, { kind, comment }: AlarmAct, by: Operator, at: string): Alarm {
  const acked_by = alarm.acked_by ?? { ...by, via: 'api' as const, at, comment, expires_at: null }
  switch (kind) {
    case 'ack':
      if (!isUnacked(alarm)) return alarm
      return alarm.state === 'rtn_unack' ? { ...alarm, acked_by, state: 'normal', ended_at: at } : { ...alarm, acked_by, state: 'active_ack' }
    case 'unack':
      return alarm.state === 'active_ack' ? { ...alarm, acked_by: null, state: 'active_unack' } : alarm
    case 'resolve':
      return isOpen(alarm) ? { ...alarm, acked_by, state: 'normal', ended_at: at, cleared: alarm.cleared ?? { at, by: 'user', ...by } } : alarm
    case 'comment':
      return alarm
  }
}

/** Returns whether an act has no effect any more: somebody has done the same, or its episode is over. */
export function isDone(alarm: Alarm, { kind, episode }: AlarmAct): boolean {
  if (alarm.episode !== episode) return true
  switch (kind) {
    case 'ack':
      return !isUnacked(alarm)
    case 'unack':
      return alarm.state !== 'active_ack'
    case 'resolve':
      return !isOpen(alarm)
    case 'comment':
      return false
  }
}

/** The change of an alarm that people are told. */
export type AlarmChange = 'acked' | 'unacked' | 'cleared' | 'cancelled' | 'raised'

/** Returns the change between two objects of an alarm; `null` for counters, texts, and for a fault that a notification announces. */
export function changeOf(before: Alarm, after: Alarm): AlarmChange | null {
  if (before.episode !== after.episode) return null
  if (PRIORITIES[after.priority] < PRIORITIES[before.priority]) return 'raised'
  if (after.cleared !== null && before.cleared === null) return after.cleared.by === 'cancel' ? 'cancelled' : 'cleared'
  if (after.acked_by !== null && before.acked_by === null) return 'acked'
  return before.state === 'active_ack' && after.state === 'active_unack' && before.acked_by !== null ? 'unacked' : null
}
