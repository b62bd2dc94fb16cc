// A page that may be loaded again.
import { expect, it } from 'vitest'
import { isIdlePage, type PageUse } from './page_use'

const idle: PageUse = { isUnused: true, isSending: false, hasUrgent: false, hasUnstored: false, hasDialog: false, isPlaying: false, texts: ['', ' '], files: 0 }

it('is one that nobody uses', () => {
  expect(isIdlePage(idle)).toBe(true)
  expect(isIdlePage({ ...idle, isUnused: false })).toBe(false)
})

it('is none with text, files, an upload, an urgent notification, a dialog or a film', () => {
  const busy: Partial<PageUse>[] = [{ texts: ['', 'x'] }, { files: 1 }, { isSending: true }, { hasUrgent: true }, { hasUnstored: true }, { hasDialog: true }, { isPlaying: true }]
  expect(busy.filter((use) => isIdlePage({ ...idle, ...use }))).toEqual([])
})
