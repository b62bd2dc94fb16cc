// Back on a phone closes what lies above the page, one layer at a time; toasts lie above nothing that must be reached.
import { expect, type Page, test } from '@playwright/test'
import { notify, open, Person, roomPath, run } from './service'

const PHONE = { width: 360, height: 740 }

async function actions(page: Page, text: string): Promise<void> {
  const row = page.getByRole('log').getByRole('article').filter({ hasText: text })
  await row.hover()
  await row.getByRole('button', { name: 'Aktionen' }).click()
}

test('Back closes menus, dialogs and panels, and only then leaves the room', async ({ browser }) => {
  const max = await Person.of('mueller')
  const name = `Zurück ${run}`
  const room = await max.room(name, ['schmidt'])
  await max.send(room, 'Eine Nachricht')
  const page = await open(browser, 'mueller', '/chat', { viewport: PHONE, hasTouch: true, isMobile: true })
  await page.getByRole('link', { name }).click()
  const heading = page.getByRole('heading', { name, level: 1 })
  await expect(page.getByRole('log').getByText('Eine Nachricht')).toBeVisible()
  const layers: [open: () => Promise<void>, shown: ReturnType<Page['getByRole']>][] = [
    [() => actions(page, 'Eine Nachricht'), page.getByRole('menu')],
    [() => page.getByRole('button', { name: 'Mehr', exact: true }).click(), page.getByRole('menu')],
    [async () => { await actions(page, 'Eine Nachricht'); await page.getByRole('menuitem', { name: 'Reagieren' }).click() }, page.getByRole('dialog')],
    [async () => { await actions(page, 'Eine Nachricht'); await page.getByRole('menuitem', { name: 'Löschen' }).click() }, page.getByRole('dialog')],
    [() => page.getByRole('button', { name: 'Mitglieder', exact: true }).click(), page.getByRole('complementary', { name: 'Mitglieder' })],
  ]
  for (const [show, shown] of layers) {
    await show()
    await expect(shown).toBeVisible()
    // The entry follows the layer.
    await expect.poll(() => page.evaluate(() => history.state.layers ?? 0)).toBe(1)
    await page.goBack()
    await expect(shown).toHaveCount(0)
    await expect(heading).toBeVisible()
  }
  // A layer that is closed by its button leaves no entry behind.
  await page.getByRole('button', { name: 'Mitglieder', exact: true }).click()
  await expect.poll(() => page.evaluate(() => history.state.layers ?? 0)).toBe(1)
  await page.getByRole('complementary').getByRole('button', { name: 'Schließen' }).click()
  await expect.poll(() => page.evaluate(() => history.state.layers ?? 0)).toBe(0)
  await page.goBack()
  await expect(page.getByRole('heading', { name: 'Chats', exact: true })).toBeVisible()
  await page.getByRole('button', { name: 'Neuer Chat' }).click()
  await expect(page.getByRole('dialog')).toBeVisible()
  await expect.poll(() => page.evaluate(() => history.state.layers ?? 0)).toBe(1)
  await page.goBack()
  await expect(page.getByRole('dialog')).toHaveCount(0)
  await expect(page.getByRole('heading', { name: 'Chats', exact: true })).toBeVisible()
})

test('a page that is opened from a menu stands above the room, and Escape closes the members', async ({ browser }) => {
  const max = await Person.of('mueller')
  const name = `Ebenen ${run}`
  const room = await max.room(name)
  const page = await open(browser, 'mueller', roomPath(room))
  await page.getByRole('button', { name: 'Mehr', exact: true }).click()
  await page.getByRole('menuitem', { name: 'In diesem Raum suchen' }).click()
  await expect(page.getByRole('heading', { name: 'Suche' })).toBeVisible()
  await page.goBack()
  await expect(page.getByRole('heading', { name, level: 1 })).toBeVisible()
  await expect(page.getByRole('menu')).toHaveCount(0)
  const members = page.getByRole('complementary', { name: 'Mitglieder' })
  await page.getByRole('button', { name: 'Mitglieder', exact: true }).click()
  await expect(members).toBeVisible()
  await page.keyboard.press('Escape')
  await expect(members).toHaveCount(0)
})

test('an edit that is saved with Enter opens no menu', async ({ browser }) => {
  const max = await Person.of('mueller')
  const name = `Ändern ${run}`
  const room = await max.room(name)
  await max.send(room, 'Alter Text')
  const page = await open(browser, 'mueller', roomPath(room))
  await actions(page, 'Alter Text')
  await page.getByRole('menuitem', { name: 'Bearbeiten' }).click()
  await page.getByLabel('Nachricht bearbeiten').fill('Neuer Text')
  await expect(page.getByRole('button', { name: 'Speichern' })).toBeInViewport({ ratio: 1 })
  await page.keyboard.press('Enter')
  await expect(page.getByRole('log').getByText('(bearbeitet)')).toBeVisible()
  await expect(page.getByLabel(`Nachricht an ${name}`)).toBeFocused()
  // The menu opened after the form had gone.
  await page.waitForTimeout(500)
  await expect(page.getByRole('menu')).toHaveCount(0)
})

test('toasts leave the buttons of an alarm free', async ({ browser }) => {
  const page = await open(browser, 'yilmaz', '/chat', { viewport: PHONE })
  await notify({ title: `Rückruf ${run}`, priority: 'urgent', target_type: 'dm', target_user: 'yilmaz' })
  const bar = page.getByRole('alert').filter({ hasText: `Rückruf ${run}` })
  await expect(bar).toBeVisible()
  await notify({ title: `Hinweis ${run}`, target_type: 'dm', target_user: 'yilmaz' })
  const toast = page.getByRole('listitem').filter({ hasText: `Hinweis ${run}` })
  await expect(toast).toBeVisible()
  const [alarm, hint] = [await bar.boundingBox(), await toast.boundingBox()]
  expect(hint?.y ?? 0).toBeGreaterThanOrEqual((alarm?.y ?? 0) + (alarm?.height ?? 0))
  await bar.getByRole('button', { name: 'Gesehen' }).click()
  await expect(bar).toHaveCount(0)
})
