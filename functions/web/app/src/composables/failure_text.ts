// The text for a failure: that of its code in the catalogue, else that of its kind.
import { useI18n } from 'vue-i18n'
import { ApiError } from '@/api/problem'

/** Returns a function that returns the text for a failure or a code. */
export function useFailureText(): (failure: unknown) => string {
  const { t, te } = useI18n()
  const byCode = (code: string, status: number): string => {
    if (te(`error.${code}`)) return t(`error.${code}`)
    return status >= 500 || status === 0 ? t('error.service') : t('error.refused', { code })
  }
  return (failure) => {
    if (typeof failure === 'string') return byCode(failure, 400)
    return failure instanceof ApiError ? byCode(failure.code, failure.status) : t('error.no_answer')
  }
}
