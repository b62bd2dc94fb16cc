// Entries of the audit log for the page.
import type { AuditEntry } from '@/api/admin'

export const ACTIONS = ['user.rename', 'user.external_access', 'user.logout', 'room.close', 'message.redact', 'notification.retry', 'notification.cancel', 'notification.readdress', 'notification.test'] as const
type Action = (typeof ACTIONS)[number]
type Name<T extends string> = T extends `${infer First}.${infer Second}` ? `${First}_${Second}` : never

export const isKnownAction = (action: string): action is Action => (ACTIONS as readonly string[]).includes(action)
/** Returns the name of an act in the catalogue. */
export const nameOfAction = (action: Action) => action.replace('.', '_') as Name<Action>

export interface ChangedValue {
  field: string
  before: unknown
  after: unknown
}

/** An absent value. */
export const isNone = (value: unknown) => value === undefined || value === null
const fieldsOf = (value: unknown): Record<string, unknown> => (typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {})

/** Returns the values that the act changed, without those that stayed or are absent on both sides. */
export function changedValues({ before, after }: Pick<AuditEntry, 'before' | 'after'>): ChangedValue[] {
  const [old, now] = [fieldsOf(before), fieldsOf(after)]
  return [...new Set([...Object.keys(old), ...Object.keys(now)])]
    .filter((field) => !(isNone(old[field]) && isNone(now[field])) && JSON.stringify(old[field]) !== JSON.stringify(now[field]))
    .map((field) => ({ field, before: old[field], after: now[field] }))
}
