// The urgent alarms and notifications that stay on top of every page: an alarm until somebody acknowledges it, a
// notification until its reader has seen it.
import { defineStore } from 'pinia'
import { computed } from 'vue'
import type { Alarm } from '@/api/types'
import { isUnacked } from './alarm_rules'
import { useAlarms } from './alarms'
import { useInbox } from './inbox'
import { useSession } from './session'

export interface Urgent {
  readonly key: string
  readonly title: string
  readonly app: string
  /** Milliseconds at the server. */
  readonly at: number
  /** The alarm that somebody has to acknowledge; `null` for a notification. */
  readonly alarm: Alarm | null
  /** The unread notification; `null` if it was read, or is not known here. */
  readonly notification: number | null
  /** Whether it sounds: the fault of an alarm may be over. */
  readonly isLoud: boolean
}

/** Active alarms come first, then the newest ones. */
const rankOf = ({ alarm, isLoud }: Urgent): number => (alarm !== null && isLoud ? 0 : 1)

export const useUrgent = defineStore('urgent', () => {
  const inbox = useInbox()
  const alarms = useAlarms()
  const session = useSession()

  const all = computed<Urgent[]>(() => {
    const unread = new Map(inbox.urgent.map((entry) => [entry, alarms.ofEntry(entry)]))
    const idOf = (alarm: Alarm) => [...unread].find(([, one]) => one?.id === alarm.id)?.[0].id ?? null
    const unacked = alarms.open.filter((alarm) => alarm.priority === 'urgent' && isUnacked(alarm))
    const fromAlarms = unacked.map((alarm) => ({
      key: `alarm ${alarm.id}`,
      title: alarm.title,
      app: alarm.source_app,
      at: Date.parse(alarm.active_since),
      alarm,
      notification: idOf(alarm),
      isLoud: alarm.state === 'active_unack',
    }))
    // The alarm itself decides about its notifications, as long as it is known.
    const isPlain = ({ alarm: id }: { alarm: number | null }, alarm: Alarm | undefined) => !(alarm ?? alarms.all.get(id ?? -1))?.ack_required
    const plain = [...unread].filter(([entry, alarm]) => isPlain(entry, alarm)).map(([entry]) => ({
      key: `notification ${entry.id}`,
      title: entry.title,
      app: entry.app,
      at: entry.at,
      alarm: null,
      notification: entry.id,
      isLoud: true,
    }))
    // A viewer cannot acknowledge: what they have seen rings no more.
    const shown: Urgent[] = [...fromAlarms.filter(({ notification }) => !session.isReader || notification !== null), ...plain]
    return shown.toSorted((a, b) => rankOf(a) - rankOf(b) || b.at - a.at)
  })

  return { all }
})
