// Differences between two readings of a user, and the rule for names.
import type { TenantUser } from '@/api/admin'

const FIELDS = ['display_name', 'role', 'external_client_enabled', 'account'] as const
type UserField = (typeof FIELDS)[number]

export interface UserChange {
  field: UserField
  before: string
  after: string
}

/** Returns the fields whose value has changed. */
export function changesOf(before: TenantUser, now: TenantUser): UserChange[] {
  return FIELDS.filter((field) => before[field] !== now[field]).map((field) => ({ field, before: String(before[field]), after: String(now[field]) }))
}

/** The most characters of a name. */
const NAME_MAX = 255
/** Control and invisible characters, those that change the text direction, and halves of pairs. */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u

/** Returns the rule that a name breaks, as the service has it; `null` if it breaks none. */
export function nameProblem(name: string): 'empty' | 'long' | 'hidden' | null {
  const text = name.trim()
  if (text === '') return 'empty'
  if ([...text].length > NAME_MAX) return 'long'
  return HIDDEN.test(text) ? 'hidden' : null
}
