// Changes by another administrator, and names.
import { expect, it } from 'vitest'
import type { TenantUser } from '@/api/admin'
import { changesOf, nameProblem } from './changes'

const user: TenantUser = {
  hub_user_id: 'bert',
  display_name: 'Bert',
  hub_display_name: 'Bert',
  renamed: false,
  role: 'user',
  matrix_user_id: '@bert:hub.local',
  provisioned: true,
  external_client_enabled: false,
  account: 'ours',
  account_problem: null,
  created_at: '2026-01-31T12:00:00Z',
  last_seen_at: null,
  version: 1,
}

it('the later administrator is told each value that is another one now', () => {
  const now = { ...user, display_name: 'Bert Mayer', external_client_enabled: true, version: 3 }
  expect(changesOf(user, now)).toEqual([
    { field: 'display_name', before: 'Bert', after: 'Bert Mayer' },
    { field: 'external_client_enabled', before: 'false', after: 'true' },
  ])
  expect(changesOf(user, { ...user, version: 2, last_seen_at: '2026-02-01T12:00:00Z' })).toEqual([])
})

it('a name is neither empty, nor too long, nor hides anything', () => {
  expect(['', '  ', 'a'.repeat(256), 'a\u0007b', 'a\u202Eb', 'Jörg Müller', '🏭'.repeat(255)].map(nameProblem)).toEqual(['empty', 'empty', 'long', 'hidden', 'hidden', null, null])
})
