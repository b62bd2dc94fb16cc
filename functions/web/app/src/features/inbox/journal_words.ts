// The journal of an alarm in words: the act, the actor, and the effect.
import { useI18n } from 'vue-i18n'
import type { AlarmJournalEntry } from '@/api/types'
import { useTimes } from '@/composables/times'
import type { JournalLine } from './journal'

/** The reasons that have words; any other is shown as the service names it. */
const REASONS = ['no_open_alarm', 'stale_input', 'other_target', 'episode_over', 'state_changed', 'not_acknowledged'] as const

export function useJournalWords(app: () => string) {
  const { t } = useI18n()
  const { moment } = useTimes()

  function what({ entry, count, since }: JournalLine): string {
    if (count > 1) return t('alarm.triggered', { n: count, time: moment(new Date(since)) })
    // A satellite knows that the fault is over; a person says so.
    return t(entry.cause === 'resolve' && entry.via === 'satellite' ? 'alarm.cause.cleared' : `alarm.cause.${entry.cause}`)
  }

  function who({ via, display_name }: AlarmJournalEntry): string {
    if (via === 'deadline') return t('alarm.by.deadline')
    if (via === 'satellite') return t('alarm.by.satellite', { name: app() })
    return t(`alarm.by.${via}`, { name: display_name ?? '' })
  }

  function outcome({ outcome: effect, reason }: AlarmJournalEntry): string {
    if (effect === 'applied') return ''
    const known = REASONS.find((one) => one === reason)
    if (reason === null) return t(`alarm.outcome.${effect}`)
    return t('alarm.outcome.because', { outcome: t(`alarm.outcome.${effect}`), reason: known === undefined ? reason : t(`alarm.reason.${known}`) })
  }

  return { what, who, outcome }
}
