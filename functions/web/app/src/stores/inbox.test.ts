// The order of notifications, and that each is there once.
import { describe, expect, it } from 'vitest'
import type { NotificationEvent } from '@/api/types'
import { entryOf, withEntries } from './inbox'

const notification = (id: number, more: object = {}) =>
  ({ type: 'notification', notification_id: id, source_app: 'mes', event_type: 'e', title: `T${id}`, body: null, priority: 'normal', target_type: 'general', room_id: null, ...more }) as unknown as NotificationEvent

describe('the inbox', () => {
  it('has the newest first, and each once', () => {
    const of = (ids: number[]) => ids.map((id) => entryOf(notification(id), 0))
    const entries = withEntries(of([2]), of([1, 3, 2, 3]))
    expect(entries.map(({ id }) => id)).toEqual([3, 2, 1])
    expect(withEntries(entries, of([1]))).toBe(entries)
  })

  it('takes the time of the service if the event has one', () => {
    expect(entryOf(notification(1, { created_at: '2026-01-31T12:00:00Z' }), 5).at).toBe(Date.UTC(2026, 0, 31, 12))
    expect(entryOf(notification(1), 5).at).toBe(5)
  })

  it('keeps an entity whose id is 0', () => {
    expect(entryOf(notification(1, { entity_type: 'machine', entity_id: 0 }), 0)).toMatchObject({ entityType: 'machine', entityId: '0' })
  })
})
