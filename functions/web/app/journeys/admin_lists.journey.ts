// The administration with names of any length, beside an open panel, and in words that administrators know.
import { expect, type Locator, type Page, test } from '@playwright/test'
import { notify, open, openWith, Person, roomPath, run, tokenFor } from './service'

const LONG = `Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft${'sekretariat'.repeat(8)}${run}`
const PHONE = { viewport: { width: 360, height: 740 }, hasTouch: true }

/** Checks that nothing in a dialog is wider than the dialog, and that nothing lies below its button to close it. */
async function expectFitting(dialog: Locator): Promise<void> {
  await expect(dialog).toBeVisible()
  const outside = await dialog.evaluate((element) => {
    const { left, right } = element.getBoundingClientRect()
    const boxes = [...element.querySelectorAll('*')].filter((one) => !one.closest('.sr-only')).map((one) => [one, one.getBoundingClientRect()] as const)
    return boxes.filter(([, box]) => box.width > 0 && (box.left < left - 1 || box.right > right + 1)).map(([one]) => one.outerHTML.slice(0, 120))
  })
  expect(outside).toEqual([])
  const [title, close] = [await dialog.getByRole('heading').first().boundingBox(), await dialog.getByRole('button', { name: 'Schließen' }).boundingBox()]
  expect((title?.x ?? 0) + (title?.width ?? 0)).toBeLessThanOrEqual(close?.x ?? 0)
  expect(await dialog.getByRole('heading').first().evaluate((one) => one.scrollWidth <= one.clientWidth)).toBe(true)
}

for (const [size, options] of [['a desktop', {}], ['a phone', PHONE]] as const) {
  test(`no dialog is wider than its window by a long name, on ${size}`, async ({ browser }) => {
    test.setTimeout(120_000)
    const id = `lang-${run}-${size.length}`
    const token = tokenFor(id, 'user', 1, LONG)
    const long = await Person.with(token)
    await long.general()
    const page = await open(browser, 'chef', '/admin/meldungen', options)
    await page.getByRole('button', { name: 'Probemeldung', exact: true }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel('Person suchen').fill(id)
    await dialog.getByRole('button', { name: new RegExp(LONG) }).click()
    await expectFitting(dialog)
    await page.goto(`/admin/benutzer/${id}`)
    for (const act of ['Überall abmelden', 'Umbenennen']) {
      await page.getByRole('complementary').getByRole('button', { name: act }).click()
      await expectFitting(dialog)
      await dialog.getByRole('button', { name: 'Schließen' }).click()
      await expect(dialog).toHaveCount(0)
    }
    const room = await long.room(LONG)
    const own = await openWith(browser, token, roomPath(room), options)
    await own.getByRole('button', { name: 'Mehr' }).first().click()
    await own.getByRole('menuitem', { name: 'Raum verlassen' }).click()
    await expectFitting(own.getByRole('dialog'))
  })
}

/** Checks that a list shows all of its columns. */
async function expectAllColumns(page: Page): Promise<void> {
  const grid = page.getByRole('grid')
  await expect(grid.getByRole('row').nth(1)).toBeVisible()
  expect(await grid.evaluate((one) => [one.scrollWidth, one.parentElement?.scrollWidth])).toEqual(await grid.evaluate((one) => [one.clientWidth, one.parentElement?.clientWidth]))
  for (const heading of await grid.getByRole('columnheader').all()) expect(await heading.evaluate((one) => one.scrollWidth <= one.clientWidth)).toBe(true)
}

test('beside an open panel, lists show each column with its whole heading', async ({ browser }) => {
  const { id, matrix_room_id: room } = await notify({ title: `Spalten ${run}`, target_type: 'entity_room', entity_type: 'column', entity_id: run })
  const page = await open(browser, 'chef', `/admin/meldungen/${id}`, { viewport: { width: 1280, height: 800 } })
  for (const path of [`/admin/meldungen/${id}`, '/admin/benutzer/chef', `/admin/raeume/${encodeURIComponent(room)}`]) {
    await page.goto(path)
    await expect(page.getByRole('complementary')).toBeVisible()
    await expectAllColumns(page)
  }
})

test('a notification that its recipient marked as seen is seen for the administrator', async ({ browser }) => {
  const anna = await Person.of('schmidt')
  await anna.general()
  const { id } = await notify({ title: `Gesehen ${run}`, target_type: 'dm', target_user: 'schmidt' })
  const page = await open(browser, 'chef', `/admin/meldungen/${id}`)
  const recipient = page.getByRole('region', { name: 'Empfänger' }).getByRole('listitem')
  await expect(recipient.getByText(/^(noch nicht gesehen|nicht bekannt)$/)).toBeVisible({ timeout: 30_000 })
  await expect(page.getByText('Fehlversuche')).toHaveCount(0)
  await anna.post('/api/v1/notifications/inbox/read', { ids: [id] })
  await page.reload()
  await expect(recipient.getByText('gesehen', { exact: true })).toBeVisible()
})

test('the audit log names a closed room, in words and without what only programs know', async ({ browser }) => {
  const [admin, name] = [await Person.of('chef'), `Umbau ${run}`]
  const room = await admin.room(name)
  await admin.delete(`/api/v1/admin/rooms/${encodeURIComponent(room)}`)
  const page = await open(browser, 'chef', `/admin/audit?subject=${encodeURIComponent(room)}`)
  const entry = page.getByRole('row').nth(1)
  await expect(entry.getByRole('gridcell').filter({ hasText: name })).toContainText(room)
  await expect(entry).toContainText('Art: Raum')
  await expect(entry).not.toContainText(/key|messages|→/)
})
