// Values of the figures over time, while this page is open: the service does not store them.
import type { AdminNotification, Statistics } from '@/api/admin'

export interface Sample {
  /** Milliseconds since 1970. */
  at: number
  pending: number
  /** The age of the oldest notification that can be delivered, in seconds. */
  age: number
  streams: number
  failed: number
}

/** An hour of samples, one in five seconds. */
const KEPT = 720

export const sampleOf = ({ queue, failures, sse_connections }: Statistics, at: number): Sample => ({
  at,
  pending: queue.pending,
  age: queue.oldest_seconds ?? 0,
  streams: sse_connections,
  failed: failures.failed_24h + failures.expired_24h,
})

/** Returns the samples with another one, the oldest ones left out. */
export const withSample = (samples: readonly Sample[], sample: Sample): readonly Sample[] => [...samples, sample].slice(-KEPT)

/** Returns the time at which a notification could be delivered, and the seconds until it was; nothing before that.
 * A held one could be delivered once its recipient had signed in. */
export function deliveryOf({ created_at, announced_at, sent_at }: Pick<AdminNotification, 'created_at' | 'announced_at' | 'sent_at'>): { at: number; value: number }[] {
  if (sent_at === null) return []
  const at = Date.parse(announced_at ?? created_at)
  return [{ at, value: Math.max(0, (Date.parse(sent_at) - at) / 1000) }]
}

/** Returns the middle one and the slowest of twenty of times in seconds; `null` of none. */
export function percentiles(seconds: readonly number[]): { median: number; p95: number } | null {
  const sorted = seconds.toSorted((a, b) => a - b)
  const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.ceil(part * sorted.length) - 1)] ?? 0
  return sorted.length === 0 ? null : { median: at(0.5), p95: at(0.95) }
}
