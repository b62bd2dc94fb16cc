// Several users of one machine: the next one finds no data of the one before.
import { expect, test } from '@playwright/test'
import { hubToken, open, Person, roomPath, run } from './service'

test('the next person at a machine sees nothing of the one before, whose draft waits for them', async ({ browser }) => {
  const bert = await Person.of('weber')
  const room = await bert.room(`Geheim ${run}`, ['mueller'])
  await bert.send(room, `Vertraulich ${run}`)
  const page = await open(browser, 'mueller', roomPath(room))
  await expect(page.getByRole('log').getByText(`Vertraulich ${run}`)).toBeVisible()
  await page.getByLabel(`Nachricht an Geheim ${run}`).fill(`Entwurf ${run}`)
  await page.waitForTimeout(600)

  const next = await page.context().newPage()
  await next.goto(`/chat?hub_token=${await hubToken('schmidt')}`)
  await expect(next.getByRole('heading', { name: 'Chats' })).toBeVisible()
  // The tab of the first user shows only that another user has signed in.
  await expect(page.getByRole('heading', { name: 'Jemand anders hat sich angemeldet' })).toBeVisible()
  await next.goto(roomPath(room))
  await expect(next.getByRole('heading', { name: 'Nicht gefunden' })).toBeVisible()
  for (const one of [page, next]) {
    const shown = await one.evaluate(() => document.documentElement.outerHTML)
    for (const secret of [`Geheim ${run}`, `Vertraulich ${run}`, `Entwurf ${run}`]) expect(shown).not.toContain(secret)
  }
  await next.goto(`${roomPath(room)}?hub_token=${await hubToken('mueller')}`)
  await expect(next.getByLabel(`Nachricht an Geheim ${run}`)).toHaveValue(`Entwurf ${run}`)
})

test('where the browser stores nothing, the messenger works and says so once', async ({ browser }) => {
  const context = await browser.newContext()
  await context.addInitScript(() => {
    for (const name of ['localStorage', 'sessionStorage', 'indexedDB']) {
      Object.defineProperty(window, name, {
        get() {
          throw new DOMException('forbidden', 'SecurityError')
        },
      })
    }
  })
  const bert = await Person.of('weber')
  const room = await bert.room(`Speicher ${run}`, ['mueller'])
  const page = await context.newPage()
  await page.goto(`${roomPath(room)}?hub_token=${await hubToken('mueller')}`)
  await expect(page.getByText('Dieser Browser speichert nichts auf dem Gerät')).toHaveCount(1)
  await page.getByLabel(`Nachricht an Speicher ${run}`).fill('Geht trotzdem')
  await page.keyboard.press('Enter')
  await expect(page.getByRole('log').getByText('Geht trotzdem')).toHaveCount(1)
  await expect.poll(() => bert.texts(room)).toEqual(['Geht trotzdem'])
  await context.close()
})
