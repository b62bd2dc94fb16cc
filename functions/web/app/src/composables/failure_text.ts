// The words for a failure: those of its code in the catalogue, else those of its kind.
import { useI18n } from 'vue-i18n'
import { ApiError } from '@/api/problem'

/** Returns a function that puts a failure, or a code, into words. */
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
