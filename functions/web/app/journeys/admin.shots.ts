// Screenshots of each page of the administration, for review: `cargo xtask web shots`.
import { test } from '@playwright/test'
import { ADMIN_PAGES, adminContent } from './admin_pages'
import { open } from './service'

const SIZES = { desk: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } }

for (const theme of ['light', 'dark'] as const) {
  for (const [size, viewport] of Object.entries(SIZES)) {
    test(`administration: ${theme}, ${size}`, async ({ browser }) => {
      test.setTimeout(300_000)
      const made = await adminContent()
      const page = await open(browser, 'chef', '/chat', { viewport, deviceScaleFactor: size === 'phone' ? 2 : 1 })
      await page.evaluate((chosen) => localStorage.setItem('messenger.settings', JSON.stringify({ theme: chosen })), theme)
      for (const [name, go] of Object.entries(ADMIN_PAGES)) {
        await go(page, made)
        await page.evaluate(() => document.fonts.ready)
        await page.screenshot({ path: `shots/${name}-${theme}-${size}.png`, animations: 'disabled' })
      }
    })
  }
}
