// Use by keyboard alone, texts for screen readers, forced colours and 400 % zoom.
import { expect, type Page, test } from '@playwright/test'
import { content, PAGES } from './pages'
import { notify, open, Person, roomPath, run } from './service'

/** Presses Tab until the focus is on an element with this name. */
async function tabTo(page: Page, name: RegExp | string): Promise<void> {
  const wanted = page.getByRole('button', { name }).or(page.getByRole('link', { name })).or(page.getByRole('textbox', { name }))
  for (let step = 0; step < 80; step += 1) {
    await page.keyboard.press('Tab')
    if (await wanted.evaluateAll((elements) => elements.includes(document.activeElement as HTMLElement))) return
  }
  throw new Error(`Tab never reaches ${String(name)}`)
}

test('a room is found, written in, answered and left by the keyboard alone', async ({ browser }) => {
  const bert = await Person.of('weber')
  const room = await bert.room(`Tastatur ${run}`, ['mueller'])
  await bert.send(room, 'Bitte melden')
  const page = await open(browser, 'mueller')
  await expect(page.getByRole('link', { name: `Tastatur ${run}` })).toBeVisible()
  await page.keyboard.press('?')
  await expect(page.getByRole('dialog', { name: 'Tastenkürzel' })).toBeVisible()
  await page.keyboard.press('Escape')
  await page.keyboard.press('Control+k')
  await page.keyboard.type(`tastatur ${run}`)
  await page.keyboard.press('Enter')
  await expect(page.getByRole('heading', { name: `Tastatur ${run}` })).toBeVisible()
  await page.keyboard.type('Melde mich')
  await page.keyboard.press('Enter')
  await expect(page.getByRole('log').getByText('Melde mich')).toBeVisible()
  await page.keyboard.press('Shift+Tab')
  await tabTo(page, 'Aktionen')
  await page.keyboard.press('Enter')
  await expect(page.getByRole('menu')).toBeVisible()
  await page.keyboard.press('Escape')
  await expect(page.getByRole('menu')).toHaveCount(0)
  await page.keyboard.press('Alt+ArrowDown')
  await expect(page.getByRole('heading', { name: `Tastatur ${run}` })).toHaveCount(0)
  await page.keyboard.press('Alt+ArrowUp')
  await expect(page.getByRole('heading', { name: `Tastatur ${run}` })).toBeVisible()
})

test('each new message is announced once, and history never', async ({ browser }) => {
  const bert = await Person.of('weber')
  const room = await bert.room(`Ansage ${run}`, ['mueller'])
  await bert.send(room, 'von früher')
  const page = await open(browser, 'mueller', roomPath(room))
  await expect(page.getByRole('log').getByText('von früher')).toBeVisible()
  await page.evaluate(() => {
    const said: string[] = []
    ;(window as { said?: string[] }).said = said
    const region = document.querySelector('[aria-live=polite]:not([role=region])')
    new MutationObserver(() => said.push(region?.textContent ?? '')).observe(region as Node, { childList: true, characterData: true, subtree: true })
  })
  await bert.send(room, 'eins')
  await expect(page.getByRole('status').getByText('Neue Nachricht von Bernd Weber: eins')).toBeAttached()
  for (let number = 1; number <= 5; number += 1) await bert.send(room, `Flut ${number}`)
  await expect(page.getByRole('status').getByText(/neue Nachrichten und Meldungen|Flut 5/)).toBeAttached()
  const said = await page.evaluate(() => (window as { said?: string[] }).said ?? [])
  expect(said.filter((text) => text.includes('von früher'))).toEqual([])
  expect(said.filter((text) => text.includes(': eins'))).toHaveLength(1)
})

test('a screen reader finds the parts of a room', async ({ browser }) => {
  const bert = await Person.of('weber')
  const room = await bert.room(`Gerüst ${run}`, ['mueller'])
  await bert.send(room, 'Hallo Max')
  const page = await open(browser, 'mueller', roomPath(room))
  await expect(page.getByRole('log').getByText('Hallo Max')).toBeVisible()
  await expect(page.getByRole('navigation')).toMatchAriaSnapshot(`
    - navigation "Bereiche":
      - link /Chats/
      - link /Meldungen/
      - link "Einstellungen"
  `)
  await expect(page.getByRole('log')).toMatchAriaSnapshot(`
    - log:
      - paragraph: Hier beginnt der Verlauf.
      - separator "Heute"
      - article /Bernd Weber, \\d+:\\d+ Uhr/:
        - paragraph: Bernd Weber
        - paragraph: Hallo Max
        - button "Aktionen"
  `)
})

test('at 400 % zoom nothing scrolls sideways, and the composer is in reach', async ({ browser }) => {
  const made = await content()
  const page = await open(browser, 'mueller', '/chat', { viewport: { width: 320, height: 256 }, deviceScaleFactor: 4 })
  for (const [name, go] of Object.entries(PAGES)) {
    // They need a pointer above a row of one line.
    if (['actions', 'emoji', 'draft'].includes(name)) continue
    await go(page, made)
    expect.soft([name, await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)]).toEqual([name, 0])
  }
  await PAGES.direct?.(page, made)
  await expect(page.getByLabel('Nachricht an Anna Schmidt')).toBeInViewport()
})

test('with forced colours, each control has an edge or a text, and an urgent notification its word', async ({ browser }) => {
  const title = `Not-Halt ${run}`
  const made = await content()
  const page = await open(browser, 'mueller', '/chat', { forcedColors: 'active' })
  await PAGES.direct?.(page, made)
  await notify({ title, priority: 'urgent' })
  await expect(page.getByRole('alert').filter({ hasText: title })).toBeVisible()
  const nameless = await page.getByRole('button').evaluateAll((buttons) =>
    buttons.filter((button) => button.checkVisibility() && button.textContent?.trim() === '' && button.querySelector('svg') === null).map((button) => button.outerHTML),
  )
  expect(nameless).toEqual([])
  // Forced colours take backgrounds away: the chosen chat has another mark, too.
  const chosen = page.getByRole('link', { name: /^Anna Schmidt/ }).first()
  await expect(chosen).toHaveAttribute('aria-current', 'page')
  expect(await chosen.evaluate((element) => getComputedStyle(element).outlineStyle)).not.toBe('none')
  await page.getByRole('alert').filter({ hasText: title }).getByRole('button', { name: 'Gesehen' }).click()
})
