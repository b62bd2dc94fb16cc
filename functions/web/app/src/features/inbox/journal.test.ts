// The lines of a journal: repeated triggers are one.
import { expect, it } from 'vitest'
import type { AlarmJournalEntry } from '@/api/types'
import { linesOf } from './journal'

const entry = (at: string, more: Partial<AlarmJournalEntry> = {}): AlarmJournalEntry => ({
  at, episode: 1, state: 'active_unack', cause: 'trigger', via: 'satellite', hub_user_id: null, display_name: null, notification_id: null, matrix_event_id: null, comment: null, outcome: 'applied', reason: null, ...more,
})

it('triggers that only count are one line, up to the next change', () => {
  const lines = linesOf([
    entry('9', { state: 'active_ack' }),
    entry('8', { state: 'active_ack' }),
    entry('7', { state: 'active_ack', cause: 'acknowledge', via: 'api' }),
    entry('6'), entry('5'), entry('4'),
    entry('3', { outcome: 'ignored', reason: 'stale_input' }),
    entry('2'),
  ])
  expect(lines.map((line) => [line.entry.at, line.count, line.since])).toEqual([['9', 2, '8'], ['7', 1, '7'], ['6', 3, '4'], ['3', 1, '3'], ['2', 1, '2']])
})

it('comments are never folded, and each episode begins a part', () => {
  const comment = { cause: 'comment' as const, via: 'api' as const, episode: 2 }
  const lines = linesOf([entry('4', comment), entry('3', comment), entry('2', { episode: 2 }), entry('1')])
  expect(lines.map(({ count, isFirstOfEpisode }) => [count, isFirstOfEpisode])).toEqual([[1, true], [1, false], [1, false], [1, true]])
})
