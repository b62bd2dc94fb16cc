// The text for a failure: that of its code in the catalogue, else that of its kind.
import { useI18n } from 'vue-i18n'
import { ApiError } from '@/api/problem'

/** Returns a function that returns the text for a failure, or for a code with the detail of the service. */
export function useFailureText(): (failure: unknown, detail?: string | null) => string {
  const { t, te } = useI18n()
  const byCode = (code: string, status: number, detail: string): string => {
    if (te(`error.${code}`)) return t(`error.${code}`)
    if (status >= 500 || status === 0) return t('error.service')
    // An answer of another program has no code, and no detail.
    return detail === '' || code.startsWith('status_') ? t('error.refused', { code }) : t('error.refusedBecause', { detail })
  }
  return (failure, detail) => {
    if (typeof failure === 'string') return byCode(failure, 400, detail ?? '')
    return failure instanceof ApiError ? byCode(failure.code, failure.status, failure.message) : t('error.no_answer')
  }
}
