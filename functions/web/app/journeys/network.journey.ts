// Networks that stop without closing connections, uploads through them, and plain http under a host name.
import { randomBytes } from 'node:crypto'
import { chromium, expect, test } from '@playwright/test'
import { Proxy } from './proxy'
import { hubToken, open, Person, roomPath, run, url } from './service'

test('a connection that dies silently is noticed within 45 seconds, and nothing is missed', async ({ browser }) => {
  test.setTimeout(240_000)
  const bert = await Person.of('weber')
  const room = await bert.room(`Stille ${run}`, ['mueller'])
  const proxy = await Proxy.open()
  const page = await open(browser, 'mueller')
  await page.goto(`${proxy.url}${roomPath(room)}?hub_token=${await hubToken('mueller')}`)
  await expect(page.getByText('Live', { exact: true })).toBeVisible()
  proxy.mode = 'black-hole'
  const died = Date.now()
  await expect(page.getByText(/Getrennt seit \d\d:\d\d/)).toBeVisible({ timeout: 60_000 })
  // Half a second for the page to show it.
  expect(Date.now() - died).toBeLessThan(45_500)
  await bert.send(room, 'Während der Stille')
  proxy.mode = 'pass'
  proxy.cut()
  await expect(page.getByRole('log').getByText('Während der Stille')).toHaveCount(1, { timeout: 60_000 })
  proxy.close()
})

test('a message that arrives before the first stream has begun is shown', async ({ browser }) => {
  const bert = await Person.of('weber')
  const room = await bert.room(`Beginn ${run}`, ['mueller'])
  await bert.send(room, 'Vor dem Öffnen')
  const proxy = await Proxy.open()
  let begin = () => {}
  proxy.streamsBegin = new Promise((resolve) => (begin = resolve))
  const page = await browser.newPage()
  await page.goto(`${proxy.url}${roomPath(room)}?hub_token=${await hubToken('mueller')}`)
  await expect(page.getByRole('log').getByText('Vor dem Öffnen')).toBeVisible()
  await bert.send(room, 'Vor dem Strom')
  // Its live event and the list of rooms are stored in one transaction.
  const lastMessage = async () => {
    const { rooms } = await bert.get<{ rooms: { matrix_room_id: string; last_message: string }[] }>('/api/v1/rooms')
    return rooms.find(({ matrix_room_id }) => matrix_room_id === room)?.last_message
  }
  await expect.poll(lastMessage).toBe('Vor dem Strom')
  begin()
  await expect(page.getByText('Live', { exact: true })).toBeVisible()
  await expect(page.getByRole('log').getByText('Vor dem Strom')).toHaveCount(1)
  await page.close()
  proxy.close()
})

test('an upload is cancelled, repeated after a cut, and the same file is sent again', async ({ browser }) => {
  test.setTimeout(240_000)
  const bert = await Person.of('weber')
  const room = await bert.room(`Dateien ${run}`, ['mueller'])
  const proxy = await Proxy.open()
  const page = await open(browser, 'mueller')
  await page.goto(`${proxy.url}${roomPath(room)}?hub_token=${await hubToken('mueller')}`)
  const send = async (name: string) => {
    await page.locator('input[type=file]').first().setInputFiles([{ name, mimeType: 'application/octet-stream', buffer: randomBytes(300_000) }])
    await page.getByRole('button', { name: 'Senden' }).click()
  }
  const waiting = page.getByRole('article', { name: 'Noch nicht gesendet' })
  const files = page.getByRole('log').getByRole('link')
  await expect(page.getByText('Live', { exact: true })).toBeVisible()

  proxy.mode = 'black-hole'
  await send('abbruch.bin')
  await expect(waiting.getByRole('progressbar', { name: 'abbruch.bin wird hochgeladen' })).toBeVisible()
  await waiting.getByRole('button', { name: 'Abbrechen' }).click()
  await expect(waiting).toHaveCount(0)

  proxy.mode = 'swallow-answers'
  proxy.cut()
  await send('zweifel.bin')
  await expect(waiting.getByText('nicht bestätigt')).toBeVisible()
  proxy.mode = 'pass'
  await expect(files.filter({ hasText: 'zweifel.bin' })).toHaveCount(1, { timeout: 60_000 })
  await send('abbruch.bin')
  await expect(files.filter({ hasText: 'abbruch.bin' })).toHaveCount(1)
  await send('abbruch.bin')
  await expect(files.filter({ hasText: 'abbruch.bin' })).toHaveCount(2)
  await expect(waiting).toHaveCount(0)
  expect((await bert.texts(room)).toSorted()).toEqual(['abbruch.bin', 'abbruch.bin', 'zweifel.bin'])
  proxy.close()
})

test('on plain http under a host name all works, and what the browser lacks there says why', async () => {
  const { port } = new URL(url)
  const launched = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--host-resolver-rules=MAP messenger.fabrik 127.0.0.1'],
  })
  const bert = await Person.of('weber')
  const room = await bert.room(`Ohne TLS ${run}`, ['mueller'])
  const page = await launched.newPage({ locale: 'de-DE' })
  await page.goto(`http://messenger.fabrik:${port}${roomPath(room)}?hub_token=${await hubToken('mueller')}`)
  expect(await page.evaluate(() => isSecureContext)).toBe(false)
  await expect(page.getByText('Live', { exact: true })).toBeVisible()
  await page.getByLabel(`Nachricht an Ohne TLS ${run}`).fill('Über http')
  await page.keyboard.press('Enter')
  await expect(page.getByRole('log').getByText('Über http')).toHaveCount(1)
  await expect.poll(() => bert.texts(room)).toEqual(['Über http'])
  await page.getByRole('link', { name: 'Einstellungen' }).click()
  await expect(page.getByText('nur auf Seiten mit https')).toBeVisible()
  await launched.close()
})
