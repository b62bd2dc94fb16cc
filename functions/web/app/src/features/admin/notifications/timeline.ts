// The steps of a delivery, in their order.
import type { AdminDeliveries } from '@/api/admin'

export type Step =
  | { kind: 'accepted'; at: string; app: string; requestId: string | null }
  | { kind: 'failed'; at: string; attempt: number; reason: string; detail: string; nextAt: string | null }
  | { kind: 'sent'; at: string | null; eventId: string | null; roomId: string | null }
  | { kind: 'ended'; at: string | null; status: string; reason: string | null }

/** Returns the steps, the first one first. Only the last failure announces another attempt. */
export function stepsOf({ accepted, failures, sent, ended }: Pick<AdminDeliveries, 'accepted' | 'failures' | 'sent' | 'ended'>): Step[] {
  const isOver = sent !== null || ended !== null
  return [
    { kind: 'accepted', at: accepted.at, app: accepted.source_app, requestId: accepted.request_id },
    ...failures.map(({ at, attempt, reason, detail, next_attempt_at }, index): Step => ({
      kind: 'failed',
      at,
      attempt,
      reason,
      detail,
      nextAt: !isOver && index === failures.length - 1 ? next_attempt_at : null,
    })),
    ...(sent === null ? [] : [{ kind: 'sent', at: sent.at, eventId: sent.matrix_event_id, roomId: sent.matrix_room_id } satisfies Step]),
    ...(ended === null ? [] : [{ kind: 'ended', at: ended.at, status: ended.status, reason: ended.reason } satisfies Step]),
  ]
}
