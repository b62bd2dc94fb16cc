// An alarm in words: its state, counter, acknowledgement and end.
import { useI18n } from 'vue-i18n'
import type { Alarm } from '@/api/types'
import { useTimes } from './times'

/** The state as a reader distinguishes it. `active` is an alarm that needs no acknowledgement. */
export type ShownState = 'active_unack' | 'active_ack' | 'active' | 'rtn_unack' | 'cleared' | 'cancelled' | 'unseen'

export function shownState({ state, acked_by, cleared, closed_unseen }: Alarm): ShownState {
  if (state === 'active_ack') return acked_by === null ? 'active' : 'active_ack'
  if (state !== 'normal') return state
  if (closed_unseen) return 'unseen'
  return cleared?.by === 'cancel' ? 'cancelled' : 'cleared'
}

export function useAlarmWords() {
  const { t, locale } = useI18n()
  const { moment } = useTimes()
  const at = (time: string) => moment(new Date(time))

  /** Returns the time between two times in hours and minutes. */
  function duration(from: string, to: string): string {
    const minutes = Math.max(0, Math.floor((Date.parse(to) - Date.parse(from)) / 60_000))
    const part = (value: number, unit: 'hour' | 'minute') => new Intl.NumberFormat(locale.value, { style: 'unit', unit, unitDisplay: 'short' }).format(value)
    if (minutes === 0) return t('alarm.soon')
    const parts = [minutes >= 60 ? part(Math.floor(minutes / 60), 'hour') : '', minutes % 60 > 0 ? part(minutes % 60, 'minute') : '']
    return parts.filter((text) => text !== '').join(' ')
  }

  const state = (alarm: Alarm): string => t(`alarm.state.${shownState(alarm)}`)
  /** "12× seit 08:14"; for a single occurrence without the number. */
  function counter({ occurrences, started_at }: Alarm): string {
    const time = at(started_at)
    return occurrences > 1 ? t('alarm.count', { n: new Intl.NumberFormat(locale.value).format(occurrences), time }) : t('alarm.since', { time })
  }
  /** "Quittiert von Max Müller, 08:16"; empty without an acknowledgement, and if the end of the fault says it. */
  function acked({ acked_by, cleared: end }: Alarm): string {
    const isSameAct = end?.by === 'user' && end.at === acked_by?.at
    return acked_by === null || isSameAct ? '' : t(`alarm.acked.${acked_by.via}`, { name: acked_by.display_name, time: at(acked_by.at) })
  }
  /** "Behoben von Max Müller, 08:40 (26 Min.)"; empty while the fault is present. */
  function cleared({ cleared: end, started_at }: Alarm): string {
    return end === null ? '' : t(`alarm.cleared.${end.by}`, { name: end.display_name ?? '', time: at(end.at), duration: duration(started_at, end.at) })
  }

  /** Its end and its acknowledgement, as far as there are any. */
  const lines = (alarm: Alarm): string[] => [cleared(alarm), acked(alarm)].filter((line) => line !== '')

  return { state, counter, acked, cleared, lines }
}
