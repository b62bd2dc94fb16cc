// The acts on a user, each with the version that the administrator has read.
import { useI18n } from 'vue-i18n'
import { audit, findUser, type TenantUser } from '@/api/admin'
import { ApiError } from '@/api/problem'
import { useTimes } from '@/composables/times'
import type { Outcome } from '../acts/act_on_each'
import { useTenant } from '../tenant'
import { changesOf, type UserChange } from './changes'

export function useUserActs(changed: (user: TenantUser) => void) {
  const { t, te } = useI18n()
  const { short } = useTimes()
  const { tenant } = useTenant()

  const valueText = (value: string) => (te(`admin.value.${value}`) ? t(`admin.value.${value}`) : `„${value}“`)
  const changeText = ({ field, before, after }: UserChange) => t('admin.users.changedField', { field: t(`admin.userField.${field}`), before: valueText(before), after: valueText(after) })

  /** Returns the changes by another administrator, and their actor. The row shows the new values. */
  async function conflict(user: TenantUser): Promise<string> {
    const [now, acts] = await Promise.all([findUser(tenant.value, user.hub_user_id), audit(tenant.value, { subject: user.hub_user_id }, null, undefined, 1).catch(() => null)])
    changed(now)
    const last = acts?.rows[0]
    const changes = changesOf(user, now).map(changeText).join(' ')
    const by = last === undefined ? t('admin.users.changed') : t('admin.users.changedBy', { name: last.actor, time: short(new Date(last.at)) })
    return `${by} ${changes} ${t('admin.users.nothingDone')}`
  }

  /** Calls the service, which changes nothing if the user has another version by now. */
  async function act(user: TenantUser, call: (user: TenantUser) => Promise<TenantUser>): Promise<Outcome> {
    try {
      const now = await call(user)
      changed(now)
      return { state: 'done', text: now.external_access === 'pending' ? t('admin.users.logoutPending') : '' }
    } catch (thrown) {
      if (thrown instanceof ApiError && thrown.code === 'version_mismatch') return { state: 'failed', text: await conflict(user) }
      throw thrown
    }
  }

  return { act }
}
