// axe finds nothing on any page of the administration, in both themes and languages, on a desk and on a phone.
import { AxeBuilder } from '@axe-core/playwright'
import { expect, test } from '@playwright/test'
import { ADMIN_PAGES, adminContent } from './admin_pages'
import { open } from './service'

const LOOKS = [
  { theme: 'light', language: 'de', viewport: { width: 1280, height: 800 } },
  { theme: 'dark', language: 'en', viewport: { width: 1280, height: 800 } },
  { theme: 'dark', language: 'de', viewport: { width: 360, height: 740 } },
  { theme: 'light', language: 'en', viewport: { width: 320, height: 700 } },
] as const

for (const { theme, language, viewport } of LOOKS) {
  test(`no page of the administration has a violation: ${theme}, ${language}, ${viewport.width} px`, async ({ browser }) => {
    test.setTimeout(300_000)
    const made = await adminContent()
    const page = await open(browser, 'chef', '/chat', { viewport })
    await page.evaluate((settings) => localStorage.setItem('messenger.settings', JSON.stringify(settings)), { theme, language })
    for (const [name, go] of Object.entries(ADMIN_PAGES)) {
      await go(page, made)
      const { violations } = await new AxeBuilder({ page }).withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']).analyze()
      const found = violations.flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => `${name}: ${id} ${String(target)} ${failureSummary ?? ''}`))
      expect.soft(found).toEqual([])
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
      expect.soft([name, overflow]).toEqual([name, 0])
    }
  })
}
