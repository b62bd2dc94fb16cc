// Entries of the audit log.
import { expect, it } from 'vitest'
import { changedValues, nameOfSubject, timeOf } from './entries'

it('values that stayed are left out, and those of one side are kept', () => {
  expect(changedValues({ action: 'user.rename', before: { display_name: 'bert', renamed: false, role: 'user' }, after: { display_name: 'Bert', renamed: true, role: 'user' } })).toEqual([
    { field: 'display_name', before: 'bert', after: 'Bert' },
    { field: 'renamed', before: false, after: true },
  ])
  expect(changedValues({ action: 'notification.retry', before: null, after: { status: 'pending', entity: null } })).toEqual([{ field: 'status', before: undefined, after: 'pending' }])
  expect(changedValues({ action: 'user.logout', before: null, after: null })).toEqual([])
})

it('a closed room is named, and its key is left out where it has a name', () => {
  const closed = (name: string | null) => ({ action: 'room.close', before: { key: 'ecf88a', name, messages: 0 }, after: null })
  expect(nameOfSubject(closed('Umbau'))).toBe('Umbau')
  expect(changedValues(closed('Umbau')).map(({ field }) => field)).toEqual(['messages'])
  expect(nameOfSubject(closed(null))).toBeNull()
  expect(changedValues(closed(null)).map(({ field }) => field)).toEqual(['key', 'messages'])
  expect(nameOfSubject({ action: 'user.rename', before: { name: 'Umbau' } })).toBeNull()
})

it('times of both forms are recognised, and no other texts', () => {
  expect(timeOf('2026-11-28T20:53:19.580489+00:00')).toEqual(new Date('2026-11-28T20:53:19.580Z'))
  expect(timeOf('2026-11-28T20:53:19.580489Z')).toEqual(new Date('2026-11-28T20:53:19.580Z'))
  expect(['2026', 'um 2026-11-28T20:53:19Z', 7, null].map(timeOf)).toEqual([null, null, null, null])
})
