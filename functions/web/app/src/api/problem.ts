// Failures of requests: a problem of the service (RFC 9457), or no response.
import type { Problem } from './types'

/** A refusal of the service, or of a proxy before it. */
export class ApiError extends Error {
  override readonly name = 'ApiError'

  constructor(
    readonly status: number,
    /** The stable `code` of the problem; `status_502` for an answer of another program. */
    readonly code: string,
    message: string,
    readonly requestId: string | null,
    /** Seconds of `Retry-After`; `null` if it was not sent. */
    readonly retryAfter: number | null,
    /** JSON Pointers of the wrong fields. */
    readonly fields: readonly string[] = [],
  ) {
    super(message)
  }

  /** Whether the same request may succeed later, without a change by the user. */
  get isTemporary(): boolean {
    return this.status >= 500 || [408, 425, 429].includes(this.status) || this.code === 'room_closed'
  }
}

/** No answer came: the request may have reached the service or not. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer'
}

export type Failure = ApiError | NoAnswer

/** Returns the refusal in a response with an error status. */
export function apiError(status: number, body: unknown, header: (name: string) => string | null): ApiError {
  const problem = (typeof body === 'object' && body !== null ? body : {}) as Partial<Problem>
  const seconds = Number(header('retry-after') ?? Number.NaN)
  return new ApiError(
    status,
    typeof problem.code === 'string' ? problem.code : `status_${status}`,
    typeof problem.detail === 'string' ? problem.detail : `HTTP ${status}`,
    problem.request_id ?? header('x-request-id'),
    Number.isFinite(seconds) ? seconds : null,
    problem.errors?.map(({ pointer }) => pointer),
  )
}

/** Returns a failure for whatever was thrown; a bug of ours is thrown again. */
export function failureOf(thrown: unknown): Failure {
  if (thrown instanceof ApiError || thrown instanceof NoAnswer) return thrown
  throw thrown
}
