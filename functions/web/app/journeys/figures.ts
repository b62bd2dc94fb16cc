// Figures of long journeys: printed with the load of the machine, and compared with the limit of an idle one.
import { availableParallelism, loadavg } from 'node:os'
import { expect, type Page } from '@playwright/test'

/** Returns the least factor by which a busy machine is slower than an idle one. */
export const slowness = (): number => Math.max(1, (loadavg()[0] ?? 0) / availableParallelism())

/** Returns the value below which this share of the values lies. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

/** Prints a figure in milliseconds, and expects it to be at most the limit, which grows with the load of the machine. */
export function expectAtMost(name: string, milliseconds: number, limit: number): void {
  const factor = slowness()
  process.stdout.write(`${name}: ${milliseconds.toFixed(1)} ms (limit ${limit} ms, load ${(loadavg()[0] ?? 0).toFixed(1)}, so that ${(limit * factor).toFixed(0)} ms count)\n`)
  expect.soft(milliseconds, name).toBeLessThanOrEqual(limit * factor)
}

/** Begins to note the tasks of a page that last longer than 50 ms. */
export const watchTasks = (page: Page): Promise<void> =>
  page.evaluate(() => {
    const tasks: number[] = []
    ;(window as { tasks?: number[] }).tasks = tasks
    new PerformanceObserver((list) => tasks.push(...list.getEntries().map(({ duration }) => duration))).observe({ type: 'longtask' })
  })

/** Returns the durations of these tasks in milliseconds, and clears them. */
export const tasksOf = (page: Page): Promise<number[]> => page.evaluate(() => (window as { tasks?: number[] }).tasks?.splice(0) ?? [])
