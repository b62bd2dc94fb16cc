// Samples of the figures.
import { expect, it } from 'vitest'
import { percentiles, type Sample, withSample } from './samples'

const sample = (at: number): Sample => ({ at, pending: 0, age: 0, streams: 0, failed: 0 })

it('an hour of samples is kept', () => {
  let samples: readonly Sample[] = []
  for (let at = 0; at < 800; at += 1) samples = withSample(samples, sample(at))
  expect([samples.length, samples[0]?.at, samples.at(-1)?.at]).toEqual([720, 80, 799])
})

it('percentiles are values that occurred', () => {
  expect(percentiles([])).toBeNull()
  expect(percentiles([3])).toEqual({ median: 3, p95: 3 })
  expect(percentiles(Array.from({ length: 100 }, (_, index) => index + 1))).toEqual({ median: 50, p95: 95 })
})
