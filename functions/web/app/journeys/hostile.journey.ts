// Hostile and careless input, typed here and sent by other Matrix clients.
import { expect, type Page, test } from '@playwright/test'
import { externalLogin, open, Person, roomPath, run } from './service'

/** Returns the number of pixels by which the page is wider than its window. */
const overflow = (page: Page) => page.evaluate(() => document.documentElement.scrollWidth - innerWidth)

test('texts of others stay texts, wrap, and leave their row to nobody', async ({ browser }) => {
  const bert = await Person.of('weber')
  const room = await bert.room(`Feindlich ${run}`, ['mueller'])
  const texts = [
    '<script>window.hacked = 1</script><img src=x onerror="window.hacked = 1">',
    'a'.repeat(10_000),
    `Z${'\u0336\u0489'.repeat(100)}`,
    'שלום עולם – Ende',
    'javascript:alert(1) data:text/html,x',
  ]
  for (const text of texts) await bert.send(room, text)
  await bert.send(room, 'Letzte Zeile')
  for (const width of [1280, 320]) {
    const page = await open(browser, 'mueller', '/chat', { viewport: { width, height: 700 } })
    await page.goto(roomPath(room))
    const log = page.getByRole('log')
    await expect(log.getByText('Letzte Zeile')).toBeVisible()
    expect(await overflow(page)).toBe(0)
    expect(await log.evaluate((element) => element.scrollWidth - element.clientWidth)).toBe(0)
    // The marks above a letter are clipped to their row.
    const rows = await log.getByRole('article').evaluateAll((articles) => articles.map((article) => article.getBoundingClientRect()).map(({ top, bottom }) => [top, bottom]))
    for (const [index, [top = 0]] of rows.entries()) if (index > 0) expect(top).toBeGreaterThanOrEqual((rows[index - 1]?.[1] ?? 0) - 1)
    expect(await page.evaluate(() => (window as { hacked?: number }).hacked)).toBeUndefined()
    expect(await log.locator('a[href^="javascript"], a[href^="data"], script, img[src="x"]').count()).toBe(0)
  }
})

test('an external password logs in at the homeserver, and HTML from there is shown by an allow-list', async ({ browser }) => {
  const bert = await Person.of('weber')
  const room = await bert.room(`Matrix ${run}`, ['mueller'])
  const matrix = await externalLogin('weber')
  const html = [
    '<strong>Fett</strong> und <a href="https://hub.example/x">Link</a>',
    '<a href="javascript:window.hacked=1">klick</a><script>window.hacked = 1</script><style>* { display: none }</style>',
    '<img src="https://evil.example/pixel.png" alt="Bild" onerror="window.hacked = 1"><iframe src="https://evil.example"></iframe>',
    '<svg onload="window.hacked = 1"><circle /></svg><form action="https://evil.example"><input name="x"></form>',
    `${'<div>'.repeat(500)}tief${'</div>'.repeat(500)}`,
    '<p onclick="window.hacked = 1" style="position: fixed; inset: 0">Absatz</p><table><tr><td>Zelle</td></tr></table>',
  ].join('')
  await matrix.send(room, { msgtype: 'm.text', body: 'ohne HTML', format: 'org.matrix.custom.html', formatted_body: html })
  const foreign: string[] = []
  const page = await open(browser, 'mueller')
  page.on('request', (request) => request.url().includes('evil.example') && foreign.push(request.url()))
  await page.goto(roomPath(room))
  const log = page.getByRole('log')
  await expect(log.locator('strong', { hasText: 'Fett' })).toBeVisible()
  await expect(log.getByRole('link', { name: 'Link' })).toHaveAttribute('href', 'https://hub.example/x')
  for (const text of ['klick', 'Bild', 'tief', 'Absatz', 'Zelle']) await expect(log.getByText(text)).toBeVisible()
  expect(await log.locator('.rich :is(script, style, img, iframe, svg, form, input, [onclick], [style]), .rich a[href^="javascript"]').count()).toBe(0)
  expect(await page.evaluate(() => (window as { hacked?: number }).hacked)).toBeUndefined()
  expect(foreign).toEqual([])
})

test('what is too long, too large or empty is refused before it is sent, with the limit', async ({ browser }) => {
  const bert = await Person.of('weber')
  const room = await bert.room(`Grenzen ${run}`, ['mueller'])
  const page = await open(browser, 'mueller', roomPath(room))
  const field = page.getByLabel(`Nachricht an Grenzen ${run}`)
  await field.fill('x'.repeat(20_001))
  await page.keyboard.press('Enter')
  await expect(page.getByText('höchstens 20.000 Zeichen')).toBeVisible()
  await expect(field).toHaveValue('x'.repeat(20_001))
  await field.fill('')
  const files = page.locator('input[type=file]').first()
  await files.setInputFiles([{ name: 'groß.bin', mimeType: 'application/octet-stream', buffer: Buffer.alloc(20_000_001) }])
  await expect(page.getByText('„groß.bin“ ist zu groß: höchstens 20 MB.')).toBeVisible()
  // Pages and drawings with scripts are cards, never inline.
  await files.setInputFiles([
    { name: 'seite.html', mimeType: 'text/html', buffer: Buffer.from('<script>window.hacked = 1</script>') },
    { name: 'bild.svg', mimeType: 'image/svg+xml', buffer: Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" onload="window.hacked=1"/>') },
    { name: `${'ä'.repeat(120)}.pdf`, mimeType: 'application/pdf', buffer: Buffer.from('%PDF-1.4') },
  ])
  await page.getByRole('button', { name: 'Senden' }).click()
  const cards = page.getByRole('log').getByRole('link')
  await expect(cards).toHaveCount(3)
  await expect(cards.filter({ hasText: 'seite.html' })).toHaveAttribute('download', 'seite.html')
  await expect(cards.filter({ hasText: /ä…ä+\.pdf/ })).toBeVisible()
  expect(await page.getByRole('log').locator('img, iframe').count()).toBe(0)
  expect(await overflow(page)).toBe(0)
})
