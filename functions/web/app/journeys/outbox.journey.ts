// Typed messages arrive once and in order, whatever the network does.
import { expect, test } from '@playwright/test'
import { hubToken, open, Person, roomPath, run } from './service'
import { Proxy } from './proxy'

/** Messages that are sent while the connection is cut again and again. */
const MESSAGES = process.env.LONG ? 300 : 60

test('messages through cuts and reloads: none is lost, none is doubled, all are in order', async ({ browser }) => {
  test.setTimeout(process.env.LONG ? 1_800_000 : 600_000)
  const bert = await Person.of('weber')
  const room = await bert.room(`Schnitte ${run}`, ['mueller'])
  const proxy = await Proxy.open()
  const page = await open(browser, 'mueller', '/chat')
  const token = await hubToken('mueller')
  await page.goto(`${proxy.url}${roomPath(room)}?hub_token=${token}`)
  const field = page.getByLabel(`Nachricht an Schnitte ${run}`)
  await expect(field).toBeVisible()
  const modes = ['pass', 'swallow-answers', 'refuse'] as const
  for (let number = 1; number <= MESSAGES; number += 1) {
    if (number % 5 === 0) {
      proxy.mode = modes[(number / 5) % 3] ?? 'pass'
      proxy.cut()
    }
    await field.fill(`Nachricht ${number}`)
    await page.keyboard.press('Enter')
    await expect(field).toHaveValue('')
    if (number % 25 === 0) {
      // A typed text is stored before it is sent; a reload needs the page itself.
      await page.waitForTimeout(300)
      proxy.mode = 'pass'
      await page.reload()
      await expect(field).toBeVisible()
    }
  }
  proxy.mode = 'pass'
  const expected = Array.from({ length: MESSAGES }, (_, index) => `Nachricht ${index + 1}`)
  await expect.poll(() => bert.texts(room), { timeout: 180_000, intervals: [1_000] }).toEqual(expected)
  await expect(page.getByRole('article', { name: 'Noch nicht gesendet' })).toHaveCount(0, { timeout: 60_000 })
  await expect(page.getByRole('log').getByText(`Nachricht ${MESSAGES}`, { exact: true })).toHaveCount(1)
  proxy.close()
})

test('a lost connection is said with its time, and ends by itself', async ({ browser }) => {
  const proxy = await Proxy.open()
  const page = await open(browser, 'mueller', '/chat')
  await page.goto(`${proxy.url}/chat?hub_token=${await hubToken('mueller')}`)
  await expect(page.getByText('Live', { exact: true })).toBeVisible()
  proxy.mode = 'refuse'
  proxy.cut()
  await expect(page.getByText(/Keine Verbindung seit \d\d:\d\d Uhr/)).toBeVisible()
  proxy.mode = 'pass'
  await expect(page.getByText('Live', { exact: true })).toBeVisible({ timeout: 60_000 })
  await expect(page.getByText(/Keine Verbindung/)).toHaveCount(0)
  proxy.close()
})
