// A duration in words: seconds, minutes, hours or days, one of them.
import { useI18n } from 'vue-i18n'

const STEPS = [
  { seconds: 86_400, unit: 'day' },
  { seconds: 3_600, unit: 'hour' },
  { seconds: 60, unit: 'minute' },
  { seconds: 1, unit: 'second' },
] as const

export function useDuration(): (seconds: number) => string {
  const { locale } = useI18n()
  return (seconds) => {
    const step = STEPS.find((one) => seconds >= one.seconds) ?? STEPS[3]
    const value = step.unit === 'second' ? Math.round(seconds * 10) / 10 : Math.floor(seconds / step.seconds)
    return new Intl.NumberFormat(locale.value, { style: 'unit', unit: step.unit, unitDisplay: 'short' }).format(value)
  }
}
