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

const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/
/** Returns the time that a value is; `null` for any other value. */
export const timeOf = (value: unknown): Date | null => (typeof value === 'string' && INSTANT.test(value) ? new Date(value) : null)
/** An absent value. */
export const isNone = (value: unknown) => value === undefined || value === null
const fieldsOf = (value: unknown): Record<string, unknown> => (typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {})

/** Returns the name of a room that the act closed: nothing else names it any more. */
export function nameOfSubject({ action, before }: Pick<AuditEntry, 'action' | 'before'>): string | null {
  const { name } = fieldsOf(before)
  return action === 'room.close' && typeof name === 'string' ? name : null
}

/** Returns the values that the act changed, without those that stayed, are absent on both sides or name its subject. */
export function changedValues({ action, before, after }: Pick<AuditEntry, 'action' | 'before' | 'after'>): ChangedValue[] {
  const [old, now] = [fieldsOf(before), fieldsOf(after)]
  const said = nameOfSubject({ action, before }) === null ? [] : ['name', 'key']
  return [...new Set([...Object.keys(old), ...Object.keys(now)])]
    .filter((field) => !said.includes(field) && !(isNone(old[field]) && isNone(now[field])) && JSON.stringify(old[field]) !== JSON.stringify(now[field]))
    .map((field) => ({ field, before: old[field], after: now[field] }))
}
