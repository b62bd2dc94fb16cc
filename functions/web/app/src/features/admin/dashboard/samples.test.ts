// Samples of the figures.
import { expect, it } from 'vitest'
import { deliveryOf, percentiles, type Sample, withSample } from './samples'

const sample = (at: number): Sample => ({ at, pending: 0, age: 0, streams: 0, failed: 0 })

it('an hour of samples is kept', () => {
  let samples: readonly Sample[] = []
  for (let at = 0; at < 800; at += 1) samples = withSample(samples, sample(at))
  expect([samples.length, samples[0]?.at, samples.at(-1)?.at]).toEqual([720, 80, 799])
})

it('the time for which a notification was held is no part of its delivery', () => {
  const [created_at, announced_at, sent_at] = ['2026-11-28T21:00:00.000000Z', '2026-11-28T21:25:00.000000Z', '2026-11-28T21:25:02.000000Z']
  expect(deliveryOf({ created_at, announced_at, sent_at })).toEqual([{ at: Date.parse(announced_at), value: 2 }])
  expect(deliveryOf({ created_at, announced_at: null, sent_at })).toEqual([{ at: Date.parse(created_at), value: 1_502 }])
  expect(deliveryOf({ created_at, announced_at: null, sent_at: null })).toEqual([])
})

it('percentiles are values that occurred', () => {
  expect(percentiles([])).toBeNull()
  expect(percentiles([3])).toEqual({ median: 3, p95: 3 })
  expect(percentiles(Array.from({ length: 100 }, (_, index) => index + 1))).toEqual({ median: 50, p95: 95 })
})
