// The target of a notification in words.
import { useI18n } from 'vue-i18n'
import type { AdminNotification } from '@/api/admin'

export const TARGETS = ['general', 'entity_room', 'dm', 'service_room'] as const

export function useTarget() {
  const { t } = useI18n()
  /** Returns the target: the person, the entity, or the kind of room. */
  return ({ target_type, target_user, entity_type, entity_id }: Pick<AdminNotification, 'target_type' | 'target_user' | 'entity_type' | 'entity_id'>): string => {
    if (target_type === 'dm' && target_user !== null) return target_user
    if (target_type === 'entity_room') return `${entity_type ?? ''} ${entity_id ?? ''}`.trim()
    return t(`admin.target.${target_type}`)
  }
}
