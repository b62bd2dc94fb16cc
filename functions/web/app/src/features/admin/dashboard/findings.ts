// The findings of the dashboard, in the order of their importance.
import type { Statistics } from '@/api/admin'

export type Finding =
  | { kind: 'waiting'; tone: 'danger' | 'warn'; count: number; seconds: number; isHomeserverAway: boolean }
  | { kind: 'homeserver'; tone: 'danger' }
  | { kind: 'failed' | 'expired'; tone: 'warn'; count: number }
  | { kind: 'held'; tone: 'neutral'; count: number }
  | { kind: 'accounts'; tone: 'neutral'; count: number }

/** Seconds after which an undelivered notification is a finding. */
const PATIENCE = 30
/** Seconds after which a queue that does not move is a fault. */
const LATE = 180

/** Returns the faults and the waiting items; an empty list means that there are none. */
export function findingsOf({ queue, failures, homeserver, total_users, provisioned_users }: Statistics): Finding[] {
  const isHomeserverAway = homeserver.status === 'offline'
  const seconds = queue.oldest_seconds ?? 0
  const isWaiting = queue.pending > 0 && (isHomeserverAway || seconds >= PATIENCE)
  const findings: (Finding | false)[] = [
    isWaiting && { kind: 'waiting', tone: isHomeserverAway || seconds >= LATE ? 'danger' : 'warn', count: queue.pending, seconds, isHomeserverAway },
    isHomeserverAway && !isWaiting && { kind: 'homeserver', tone: 'danger' },
    failures.failed_24h > 0 && { kind: 'failed', tone: 'warn', count: failures.failed_24h },
    failures.expired_24h > 0 && { kind: 'expired', tone: 'warn', count: failures.expired_24h },
    queue.held > 0 && { kind: 'held', tone: 'neutral', count: queue.held },
    total_users > provisioned_users && { kind: 'accounts', tone: 'neutral', count: total_users - provisioned_users },
  ]
  return findings.filter((finding) => finding !== false)
}

/** Whether there is no fault. An item that only waits for a person is not a fault. */
export const isWell = (findings: readonly Finding[]): boolean => findings.every(({ tone }) => tone === 'neutral')
