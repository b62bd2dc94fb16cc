// The text for an act on an alarm that has failed.
import { useI18n } from 'vue-i18n'
import { isRepeatable, type PendingAct } from '@/stores/alarms'
import { useFailureText } from './failure_text'

/** Returns a function that returns the text; empty for an act in flight. */
export function useActFailureText(): (act: PendingAct) => string {
  const { t } = useI18n()
  const failureText = useFailureText()
  return ({ kind, failure }) => (failure === null ? '' : t(isRepeatable(failure) ? 'alarm.notSent' : 'alarm.notDone', { act: t(`alarm.act.${kind}`), reason: failureText(failure) }))
}
