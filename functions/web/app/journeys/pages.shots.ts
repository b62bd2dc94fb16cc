// Screenshots of each page, theme and size, for review: `cargo xtask web shots`.
import { expect, test } from '@playwright/test'
import { content, PAGES } from './pages'
import { alarm, notify, open } from './service'

const SIZES = { desk: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } }

for (const theme of ['light', 'dark'] as const) {
  for (const [size, viewport] of Object.entries(SIZES)) {
    test(`${theme}, ${size}`, async ({ browser }) => {
      test.setTimeout(300_000)
      const made = await content()
      const page = await open(browser, 'mueller', '/chat', { viewport, deviceScaleFactor: size === 'phone' ? 2 : 1 })
      await page.evaluate((chosen) => localStorage.setItem('messenger.settings', JSON.stringify({ theme: chosen })), theme)
      for (const [name, go] of Object.entries(PAGES)) {
        await go(page, made)
        await page.evaluate(() => document.fonts.ready)
        await page.screenshot({ path: `shots/${name}-${theme}-${size}.png`, animations: 'disabled' })
      }
      await PAGES.chats?.(page, made)
      await expect(page.getByText('Live', { exact: true })).toBeVisible()
      await notify({ title: 'Not-Halt Presse 2', body: 'Lichtgitter unterbrochen', priority: 'urgent' })
      await expect(page.getByRole('alert')).toBeVisible()
      await page.screenshot({ path: `shots/urgent-${theme}-${size}.png`, animations: 'disabled' })
      await page.getByRole('alert').getByRole('button', { name: 'Gesehen' }).first().click()
      const key = `press-7:stop-${theme}-${size}`
      await alarm({ dedup_key: key, title: 'Not-Halt Presse 7', body: 'Lichtgitter unterbrochen', priority: 'urgent' })
      await PAGES.inbox?.(page, made)
      const card = page.getByRole('article').filter({ hasText: 'Not-Halt Presse 7' }).first()
      await expect(card.getByRole('button', { name: 'Quittieren' })).toBeVisible()
      await page.context().setOffline(true)
      await card.getByRole('button', { name: 'Quittieren' }).click()
      await expect(card.getByRole('alert')).toBeVisible()
      await page.screenshot({ path: `shots/alarm-not-sent-${theme}-${size}.png`, animations: 'disabled' })
      await page.context().setOffline(false)
      await notify({ dedup_key: key, event_action: 'cancel' })
    })
    test(`signed out: ${theme}, ${size}`, async ({ browser }) => {
      const context = await browser.newContext({ viewport, colorScheme: theme })
      const page = await context.newPage()
      await page.goto('/chat')
      await expect(page.getByRole('button', { name: /Anna Schmidt/ })).toBeVisible()
      await page.screenshot({ path: `shots/signed-out-${theme}-${size}.png`, animations: 'disabled' })
    })
  }
}
