// Pages of a build that the service no longer has, and of one that it has.
import { expect, it, vi } from 'vitest'
import { isOtherBuild, mayReload } from './stale_build'

vi.mock('./address', () => ({ base: 'http://messenger' }))

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

it('is of another build if the page of the service has other scripts', () => {
  const page = (name: string) => `<script type="module" src="./assets/${name}.js"></script><link rel="modulepreload" href="./assets/vue-1.js">`
  const scripts = ['https://hub.example/messenger/assets/index-A1_b.js']
  expect(['index-A1_b', 'index-B2'].map((name) => isOtherBuild(page(name), scripts))).toEqual([false, true])
  // The page of a proxy, or of a network that asks for a sign-in, is no build of ours.
  expect(isOtherBuild('<script src="/login.js"></script>', scripts)).toBe(false)
})
