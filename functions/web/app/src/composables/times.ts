// Times in the language of the settings. The formatters are created once for each language.
import { useI18n } from 'vue-i18n'
import { serverNow } from '@/platform/clock'

const DAY = 86_400_000
const cache = new Map<string, Intl.DateTimeFormat>()

function formatter(language: string, name: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${language} ${name}`
  const known = cache.get(key) ?? new Intl.DateTimeFormat(language === 'de' ? 'de-DE' : 'en-GB', options)
  cache.set(key, known)
  return known
}

/** Returns the day of a time as text that compares, in the zone of this machine. */
export function dayOf(time: Date): string {
  return `${time.getFullYear()}-${String(time.getMonth() + 1).padStart(2, '0')}-${String(time.getDate()).padStart(2, '0')}`
}

export function useTimes() {
  const { t, locale } = useI18n()
  const format = (name: string, options: Intl.DateTimeFormatOptions, time: Date) => formatter(locale.value, name, options).format(time)
  const clock = (time: Date) => format('clock', { hour: '2-digit', minute: '2-digit' }, time)
  const exact = (time: Date) => format('exact', { dateStyle: 'medium', timeStyle: 'medium' }, time)
  const full = (time: Date) => format('full', { dateStyle: 'full', timeStyle: 'medium' }, time)

  /** The clock for today, else with its date. */
  function moment(time: Date): string {
    if (dayOf(time) === dayOf(new Date(serverNow()))) return clock(time)
    return format('moment', { day: '2-digit', month: '2-digit', hour: '2-digit', minute: '2-digit' }, time)
  }

  /** "Heute", "Gestern", else the date. */
  function day(time: Date): string {
    const now = serverNow()
    if (dayOf(time) === dayOf(new Date(now))) return t('time.today')
    if (dayOf(time) === dayOf(new Date(now - DAY))) return t('time.yesterday')
    const isThisYear = time.getFullYear() === new Date(now).getFullYear()
    return isThisYear
      ? format('day', { weekday: 'long', day: 'numeric', month: 'long' }, time)
      : format('date', { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' }, time)
  }

  /** The clock for today, else a short date: for lists. */
  function short(time: Date): string {
    const now = serverNow()
    if (dayOf(time) === dayOf(new Date(now))) return clock(time)
    if (dayOf(time) === dayOf(new Date(now - DAY))) return t('time.yesterday')
    return format('short', { day: '2-digit', month: '2-digit', year: '2-digit' }, time)
  }

  return { clock, moment, exact, full, day, short }
}
