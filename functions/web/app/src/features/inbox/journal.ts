// The journal of an alarm as lines: triggers that only count are one line. Pure.
import type { AlarmJournalEntry } from '@/api/types'

export interface JournalLine {
  readonly entry: AlarmJournalEntry
  /** The triggers that this line stands for. */
  readonly count: number
  /** The time of the first of them. */
  readonly since: string
  /** Whether an earlier episode begins below. */
  readonly isFirstOfEpisode: boolean
}

/** Returns the lines of entries, which are newest first. */
export function linesOf(entries: readonly AlarmJournalEntry[]): JournalLine[] {
  const lines: JournalLine[] = []
  for (const entry of entries) {
    const above = lines.at(-1)
    if (above !== undefined && isSame(above.entry, entry)) lines[lines.length - 1] = { ...above, count: above.count + 1, since: entry.at }
    else lines.push({ entry, count: 1, since: entry.at, isFirstOfEpisode: above?.entry.episode !== entry.episode })
  }
  return lines
}

/** Returns whether two neighbours say the same: triggers that left the state as it was. */
function isSame(newer: AlarmJournalEntry, older: AlarmJournalEntry): boolean {
  const isTrigger = newer.cause === 'trigger' && older.cause === 'trigger'
  return isTrigger && newer.episode === older.episode && newer.state === older.state && newer.outcome === older.outcome && newer.reason === older.reason
}
