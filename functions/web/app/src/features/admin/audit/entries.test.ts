// Entries of the audit log.
import { expect, it } from 'vitest'
import { changedValues } from './entries'

it('values that stayed are left out, and those of one side are kept', () => {
  expect(changedValues({ before: { display_name: 'bert', renamed: false, role: 'user' }, after: { display_name: 'Bert', renamed: true, role: 'user' } })).toEqual([
    { field: 'display_name', before: 'bert', after: 'Bert' },
    { field: 'renamed', before: false, after: true },
  ])
  expect(changedValues({ before: null, after: { status: 'pending', entity: null } })).toEqual([{ field: 'status', before: undefined, after: 'pending' }])
  expect(changedValues({ before: null, after: null })).toEqual([])
})
