// axe finds nothing on any page, in both themes and languages, on a desk and on a phone.
import { AxeBuilder } from '@axe-core/playwright'
import { expect, test } from '@playwright/test'
import { content, PAGES } from './pages'
import { notify, open } from './service'

const SIZES = { desk: { width: 1280, height: 800 }, phone: { width: 360, height: 740 } }
const LOOKS = [
  { theme: 'light', language: 'de', size: 'desk' },
  { theme: 'dark', language: 'en', size: 'desk' },
  { theme: 'dark', language: 'de', size: 'phone' },
  { theme: 'light', language: 'en', size: 'phone' },
] as const

for (const { theme, language, size } of LOOKS) {
  test(`no page has a violation: ${theme}, ${language}, ${size}`, async ({ browser }) => {
    test.setTimeout(300_000)
    const made = await content()
    const page = await open(browser, 'mueller', '/chat', { viewport: SIZES[size] })
    await page.evaluate((settings) => localStorage.setItem('messenger.settings', JSON.stringify(settings)), { theme, language })
    await notify({ title: 'Not-Halt Presse 2', priority: 'urgent' })
    for (const [name, go] of Object.entries(PAGES)) {
      await go(page, made)
      const { violations } = await new AxeBuilder({ page }).withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']).analyze()
      const found = violations.flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => `${name}: ${id} ${String(target)} ${failureSummary ?? ''}`))
      expect.soft(found).toEqual([])
    }
  })
}

test('nothing is wider than a phone of 320 pixels', async ({ browser }) => {
  const made = await content()
  const page = await open(browser, 'mueller', '/chat', { viewport: { width: 320, height: 600 } })
  for (const [name, go] of Object.entries(PAGES)) {
    await go(page, made)
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
    expect.soft([name, overflow]).toEqual([name, 0])
  }
})
