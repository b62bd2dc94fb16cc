// Notifications by day, each with its alarm.
import { computed } from 'vue'
import type { Alarm } from '@/api/types'
import { dayOf, useTimes } from '@/composables/times'
import { useAlarms } from '@/stores/alarms'
import type { InboxEntry } from '@/stores/inbox_entries'

interface InboxRow {
  readonly entry: InboxEntry
  /** `null` for a notification that stands for itself. */
  readonly alarm: Alarm | null
}

/** `onTop` has the alarms that stand above the notifications: they are not shown twice. */
export function useInboxDays(entries: () => readonly InboxEntry[], onTop: () => ReadonlySet<number>) {
  const { day } = useTimes()
  const alarms = useAlarms()

  /** An alarm that was re-opened has several notifications: the newest one shows it. */
  const rows = computed(() => {
    const seen = new Set(onTop())
    return entries().flatMap((entry): InboxRow[] => {
      const alarm = alarms.ofEntry(entry)
      if (alarm === undefined) return [{ entry, alarm: null }]
      if (seen.has(alarm.id)) return []
      seen.add(alarm.id)
      return [{ entry, alarm }]
    })
  })

  const days = computed(() => {
    const groups = new Map<string, InboxRow[]>()
    for (const row of rows.value) {
      const key = dayOf(new Date(row.entry.at))
      const group = groups.get(key)
      if (group === undefined) groups.set(key, [row])
      else group.push(row)
    }
    return [...groups].map(([key, list]) => ({ key, name: day(new Date(list[0]?.entry.at ?? 0)), rows: list }))
  })

  return { rows, days }
}
