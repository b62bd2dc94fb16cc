// Drafts: nothing of a deleted message stays on the device.
import 'fake-indexeddb/auto'
import { createPinia, setActivePinia } from 'pinia'
import { beforeEach, expect, it, vi } from 'vitest'
import { UserDatabase } from '@/platform/database'
import { NO_DRAFT } from '@/platform/records'
import { useDrafts } from './drafts'

beforeEach(() => setActivePinia(createPinia()))

it('a reply is stored without the text of its message, also if an earlier version has stored it', async () => {
  const database = new UserDatabase('drafts of an earlier version', () => {})
  const reply = { eventId: '$1', name: 'Anna', text: 'GEHEIM' }
  await database.put('drafts', { room: '!a', ...NO_DRAFT, text: 'Ja', reply })
  const drafts = useDrafts()
  await drafts.start(database)
  expect(drafts.get('!a')).toEqual({ ...NO_DRAFT, text: 'Ja', reply: { eventId: '$1' } })
  await vi.waitFor(async () => expect(JSON.stringify(await database.all('drafts'))).not.toContain('GEHEIM'))
})

it('the edit of a deleted message ends', async () => {
  const drafts = useDrafts()
  drafts.change('!a', { text: 'Neu', edit: { eventId: '$1', text: 'GEHEIM' } })
  drafts.redacted('!a', '$2')
  expect(drafts.get('!a').edit).not.toBeNull()
  drafts.redacted('!a', '$1')
  expect(drafts.get('!a')).toEqual({ ...NO_DRAFT, text: 'Neu' })
})
