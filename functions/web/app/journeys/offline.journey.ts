// Parts of the page that are loaded later, while the network is away: the page stays, and says what needs the network.
import { expect, type Page, test } from '@playwright/test'
import { open, Person, roomPath, run } from './service'

/** Lets no request for a part through, as a network that is gone; the page itself keeps its streams and texts. */
const PARTS = /\/assets\/(?!worker).*\.js$/

async function actions(page: Page, text: string): Promise<void> {
  const row = page.getByRole('log').getByRole('article').filter({ hasText: text })
  await row.hover()
  await row.getByRole('button', { name: 'Aktionen' }).click()
}

test('offline, the parts that people need are there: actions, edits, emoji, notifications and settings', async ({ browser }) => {
  const max = await Person.of('mueller')
  const room = await max.room(`Funkloch ${run}`)
  await max.send(room, 'Vor dem Funkloch')
  const page = await open(browser, 'mueller', roomPath(room))
  await expect(page.getByRole('log').getByText('Vor dem Funkloch')).toBeVisible()
  const loaded = () => page.evaluate(() => performance.getEntriesByType('resource').map(({ name }) => name).filter((name) => /MessageActions|EditForm|EmojiPicker|InboxPage|SettingsPage|SearchPage/.test(name)).length)
  await expect.poll(loaded).toBeGreaterThanOrEqual(6)
  await page.getByLabel(`Nachricht an Funkloch ${run}`).fill('halber Satz')
  await page.context().setOffline(true)
  await actions(page, 'Vor dem Funkloch')
  await page.getByRole('menuitem', { name: 'Reagieren' }).click()
  await expect(page.getByRole('dialog').getByRole('button', { name: 'grinsendes Gesicht', exact: true })).toBeVisible()
  await page.keyboard.press('Escape')
  await actions(page, 'Vor dem Funkloch')
  await page.getByRole('menuitem', { name: 'Bearbeiten' }).click()
  await page.getByLabel('Nachricht bearbeiten').press('Escape')
  for (const name of ['Meldungen', 'Einstellungen']) {
    await page.getByRole('link', { name }).click()
    await expect(page.getByRole('heading', { name, level: 1 })).toBeVisible()
  }
  await page.getByRole('link', { name: 'Chats' }).first().click()
  await page.getByRole('link', { name: `Funkloch ${run}` }).click()
  await expect(page.getByLabel(`Nachricht an Funkloch ${run}`)).toHaveValue('halber Satz')
})

test('a part that is missing says that it needs the network, and comes when the network is back', async ({ browser }) => {
  const max = await Person.of('mueller')
  const room = await max.room(`Lücke ${run}`)
  await max.send(room, 'Ohne Menü')
  const page = await open(browser, 'mueller', '/chat')
  // Nothing is loaded in idle time here, nor taken from the browser's cache.
  await page.addInitScript(() => Object.defineProperty(window, 'requestIdleCallback', { value: () => 0 }))
  await page.route(/MessageActions|InboxPage/, (route) => route.abort('internetdisconnected'))
  await page.goto(roomPath(room))
  await expect(page.getByRole('log').getByText('Ohne Menü')).toBeVisible()
  await page.evaluate(() => Object.assign(window, { isSamePage: true }))
  await page.context().setOffline(true)
  await actions(page, 'Ohne Menü')
  const notice = page.getByText('Ohne Netz nicht möglich').first()
  await expect(notice).toBeVisible()
  await page.getByRole('link', { name: 'Meldungen' }).click()
  await expect(page.getByRole('log').getByText('Ohne Menü')).toBeVisible()
  expect(await page.evaluate(() => 'isSamePage' in window)).toBe(true)
  await page.unroute(/MessageActions|InboxPage/)
  await page.context().setOffline(false)
  await actions(page, 'Ohne Menü')
  await expect(page.getByRole('menuitem', { name: 'Antworten' })).toBeVisible()
})

test('a part of a build that the service no longer has loads the page again', async ({ browser }) => {
  const max = await Person.of('mueller')
  const room = await max.room(`Neubau ${run}`)
  await max.send(room, 'Vor dem neuen Stand')
  const page = await open(browser, 'mueller', '/chat')
  await page.addInitScript(() => Object.defineProperty(window, 'requestIdleCallback', { value: () => 0 }))
  await page.goto(roomPath(room))
  await expect(page.getByRole('log').getByText('Vor dem neuen Stand')).toBeVisible()
  await page.evaluate(() => Object.assign(window, { isSamePage: true }))
  await page.route(PARTS, (route) => route.fulfill({ status: 404 }))
  await page.route(/\/$/, async (route) => {
    const answer = await route.fetch()
    await route.fulfill({ response: answer, body: (await answer.text()).replaceAll(/assets\/index-[\w-]+\.js/g, 'assets/index-another.js') })
  }, { times: 1 })
  const reloaded = page.waitForEvent('framenavigated')
  await actions(page, 'Vor dem neuen Stand')
  await reloaded
  await page.unroute(PARTS)
  await page.reload()
  await expect(page.getByRole('log').getByText('Vor dem neuen Stand')).toBeVisible()
  expect(await page.evaluate(() => 'isSamePage' in window)).toBe(false)
})
