// The acts on one notification, whose result is shown in its row.
import { useI18n } from 'vue-i18n'
import { type Act, type AdminNotification, changeNotification } from '@/api/admin'
import { ApiError } from '@/api/problem'
import type { Outcome } from '../acts/act_on_each'
import { useTenant } from '../tenant'

/** Codes of refusals by which the notification is in another state already. */
const ALREADY = new Set(['not_retryable', 'not_cancellable'])

export function useActs(changed: (row: AdminNotification) => void) {
  const { t } = useI18n()
  const { tenant } = useTenant()

  async function change(id: number, act: Act): Promise<Outcome> {
    try {
      const row = await changeNotification(tenant.value, id, act)
      changed(row)
      return { state: 'done', text: '' }
    } catch (thrown) {
      if (thrown instanceof ApiError && ALREADY.has(thrown.code)) return { state: 'skipped', text: t(`error.${thrown.code as 'not_retryable'}`) }
      throw thrown
    }
  }

  return { change }
}
