// An alarm for tests.
import type { Alarm } from '@/api/types'

/** Returns an alarm that is active and not acknowledged, with these differences. */
export const alarmOf = (id: number, more: Partial<Alarm> = {}): Alarm => ({
  id,
  source_app: 'mes',
  dedup_key: `k${id}`,
  state: 'active_unack',
  episode: 1,
  revision: 1,
  event_type: 'alarm',
  title: `Störung ${id}`,
  body: null,
  priority: 'normal',
  target_type: 'general',
  entity_type: null,
  entity_id: null,
  target_user: null,
  room_id: '!a:hub.local',
  notification_id: id * 10,
  occurrences: 1,
  chattering: false,
  stale: false,
  started_at: '2026-01-31T07:14:03.000000Z',
  active_since: '2026-01-31T07:14:03.000000Z',
  last_occurred_at: '2026-01-31T07:14:03.000000Z',
  ack_required: true,
  acked_by: null,
  cleared: null,
  resolve_at: null,
  ended_at: null,
  closed_unseen: false,
  ...more,
})

export const MAX = { hub_user_id: 'mueller', display_name: 'Max Müller' }
/** The state after an acknowledgement by another client. */
export const acked = (via: 'api' | 'matrix' | 'satellite' = 'api'): Partial<Alarm> => ({
  state: 'active_ack',
  acked_by: { ...MAX, via, at: '2026-01-31T07:16:00.000000Z', comment: null, expires_at: null },
})
export const cleared = (by: 'satellite' | 'user' | 'timeout' | 'cancel' = 'satellite'): Partial<Alarm> => ({
  state: 'normal',
  ended_at: '2026-01-31T07:40:03.000000Z',
  cleared: { at: '2026-01-31T07:40:03.000000Z', by, hub_user_id: null, display_name: by === 'user' ? 'Max Müller' : null },
})
