// Parts of the application that are loaded in idle time.
import { expect, it, vi } from 'vitest'
import { later, loadParts } from './parts'

it('are all loaded, those of a part as well, and after a failure with the next connection', async () => {
  vi.stubGlobal('requestIdleCallback', (act: () => void) => act())
  const loaded: string[] = []
  let isUp = false
  later(async () => loaded.push('first'))
  later(async () => {
    if (!isUp) throw new TypeError('Failed to fetch dynamically imported module')
    loaded.push('second')
    later(async () => loaded.push('part of the second'))
  })
  await loadParts()
  expect(loaded).toEqual(['first'])
  isUp = true
  await Promise.all([loadParts(), loadParts()])
  expect(loaded).toEqual(['first', 'second', 'part of the second'])
  vi.unstubAllGlobals()
})
