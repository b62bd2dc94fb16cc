// The states of a notification, with the acts that they allow.
import type { Component } from 'vue'
import type { Act, AdminNotification } from '@/api/admin'
import CancelledIcon from '~icons/lucide/circle-slash'
import ExpiredIcon from '~icons/lucide/timer-off'
import FailedIcon from '~icons/lucide/circle-x'
import IgnoredIcon from '~icons/lucide/circle-dashed'
import PendingIcon from '~icons/lucide/clock'
import SentIcon from '~icons/lucide/circle-check'

export type Status = AdminNotification['status']
export type StatusTone = 'good' | 'accent' | 'danger' | 'warn' | 'neutral'

export const STATUSES: readonly Status[] = ['failed', 'pending', 'expired', 'cancelled', 'ignored', 'sent']
export const LOOKS: Record<Status, { tone: StatusTone; icon: Component }> = {
  sent: { tone: 'good', icon: SentIcon },
  pending: { tone: 'accent', icon: PendingIcon },
  failed: { tone: 'danger', icon: FailedIcon },
  expired: { tone: 'warn', icon: ExpiredIcon },
  cancelled: { tone: 'neutral', icon: CancelledIcon },
  ignored: { tone: 'neutral', icon: IgnoredIcon },
}

const ALLOWED: Record<Act, readonly Status[]> = { retry: ['failed', 'expired', 'cancelled'], cancel: ['pending'] }
export const allows = (act: Act, status: Status): boolean => ALLOWED[act].includes(status)
