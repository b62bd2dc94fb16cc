// The reason for which a notification was not delivered, in words.
import { useI18n } from 'vue-i18n'

export function useReason(): (code: string) => string {
  const { t, te } = useI18n()
  return (code) => (te(`admin.reason.${code}`) ? t(`admin.reason.${code}`) : code)
}
