// The page of a build that the service no longer has.
import { expect, it } from 'vitest'
import { mayReload } from './stale_build'

it('is loaded again once, and later once more', () => {
  const kept = new Map<string, string>()
  const storage = () => ({ getItem: (key: string) => kept.get(key) ?? null, setItem: (key: string, value: string) => void kept.set(key, value) })
  expect([0, 1_000, 59_000, 61_000].map((time) => mayReload(storage, time))).toEqual([true, false, false, true])
})

it('is not loaded again where nothing can be stored', () => {
  const forbidden = () => {
    throw new DOMException('no', 'SecurityError')
  }
  expect(mayReload(forbidden, 0)).toBe(false)
})
