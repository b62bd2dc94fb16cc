// Calls that are repeated until the service has taken or refused them.
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { ApiError, NoAnswer } from '@/api/problem'
import { untilTaken } from './retry'

const failure = (status: number, retryAfter: number | null = null) => new ApiError(status, `status_${status}`, '', null, retryAfter)

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

it('honours the pause that the service asks for, and repeats what had no answer', async () => {
  const call = vi.fn().mockRejectedValueOnce(failure(503, 7)).mockRejectedValueOnce(new NoAnswer('cut')).mockResolvedValue(null)
  untilTaken(call).begin()
  await vi.advanceTimersByTimeAsync(6_900)
  expect(call).toHaveBeenCalledTimes(1)
  await vi.advanceTimersByTimeAsync(200)
  expect(call).toHaveBeenCalledTimes(2)
  await vi.advanceTimersByTimeAsync(60_000)
  expect(call).toHaveBeenCalledTimes(3)
})

it('ends with a refusal, and makes a call that was wanted meanwhile', async () => {
  let refuse: (failure: Error) => void = () => {}
  const call = vi.fn(() => new Promise((_, reject) => (refuse = reject)))
  const repeated = untilTaken(call)
  for (const _ of [1, 2, 3]) repeated.begin()
  expect(call).toHaveBeenCalledTimes(1)
  refuse(failure(422))
  await vi.advanceTimersByTimeAsync(1)
  expect(call).toHaveBeenCalledTimes(2)
  refuse(failure(404))
  await vi.advanceTimersByTimeAsync(60_000)
  expect(call).toHaveBeenCalledTimes(2)
})

it('does not wait when the connection is back', async () => {
  const call = vi.fn().mockRejectedValueOnce(failure(503, 60)).mockResolvedValue(null)
  const repeated = untilTaken(call)
  repeated.begin()
  await vi.advanceTimersByTimeAsync(1)
  repeated.retryNow()
  await vi.advanceTimersByTimeAsync(1)
  expect(call).toHaveBeenCalledTimes(2)
})
