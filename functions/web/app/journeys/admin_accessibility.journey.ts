// axe finds nothing on any page of the administration, in both themes and languages, on a desk and on a phone.
import { AxeBuilder } from '@axe-core/playwright'
import { expect, test } from '@playwright/test'
import { ADMIN_PAGES, adminContent } from './admin_pages'
import { controlsOf, coveredControlsOf } from './controls'
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

test('at 400 % zoom nothing of the administration scrolls sideways, and no control is lost or covered', async ({ browser }) => {
  test.setTimeout(300_000)
  const made = await adminContent()
  const [desk, zoomed] = [await open(browser, 'chef', '/admin'), await open(browser, 'chef', '/chat', { viewport: { width: 320, height: 256 }, deviceScaleFactor: 4 })]
  for (const [name, go] of Object.entries(ADMIN_PAGES)) {
    for (const page of [desk, zoomed]) await go(page, made)
    const overflow = await zoomed.evaluate(() => document.documentElement.scrollWidth - innerWidth)
    const there = new Set(await controlsOf(zoomed))
    const lost = (await controlsOf(desk)).filter((control) => !there.has(control))
    expect.soft([name, overflow, lost, await coveredControlsOf(zoomed)]).toEqual([name, 0, [], []])
  }
})

test('with forced colours, each page of the administration shows what is chosen, and each control has words or a picture', async ({ browser }) => {
  test.setTimeout(300_000)
  const made = await adminContent()
  const page = await open(browser, 'chef', '/chat', { forcedColors: 'active' })
  for (const [name, go] of Object.entries(ADMIN_PAGES)) {
    await go(page, made)
    const bare = await page.locator('button, a[href]').evaluateAll((all) => all.filter((one) => one.checkVisibility() && one.ariaHidden !== 'true' && one.textContent?.trim() === '' && one.querySelector('svg') === null).map((one) => one.outerHTML))
    const chosen = page.locator('[aria-current]:not([aria-current=false]), [aria-pressed=true], [aria-selected=true], [role=tab][data-state=active]')
    const edges = await chosen.evaluateAll((all) => all.filter((one) => one.checkVisibility() && getComputedStyle(one).outlineStyle === 'none').map((one) => one.outerHTML.slice(0, 200)))
    expect.soft([name, bare, edges]).toEqual([name, [], []])
  }
  // A canvas is not forced: it is drawn in the colours of the system.
  await ADMIN_PAGES['admin-dashboard']?.(page, made)
  const colours = await page.locator('canvas').first().evaluate((canvas: HTMLCanvasElement) => {
    const { data } = canvas.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height) ?? { data: new Uint8ClampedArray() }
    const found = new Set<string>()
    for (let at = 0; at < data.length; at += 4) if ((data[at + 3] ?? 0) > 250) found.add(data.slice(at, at + 3).join(' '))
    const own = getComputedStyle(document.body)
    return { drawn: [...found], text: own.color.match(/\d+/g)?.join(' ') }
  })
  expect(colours.drawn).toContain(colours.text)
})
