// Acts of administrators in special cases: a homeserver that is away, a held message for
// another user, and acts on many objects of which one is different.
import { expect, type Page, test } from '@playwright/test'
import { pauseHomeserver, resumeHomeserver } from './homeserver'
import { notify, open, openWith, Person, run, tokenFor } from './service'

const row = (page: Page, text: string | RegExp) => page.getByRole('row').filter({ hasText: text })

/** Returns the subjects of the acts of this kind in the audit log. */
async function audited(action: string): Promise<string[]> {
  const admin = await Person.of('chef')
  return (await admin.get<{ entries: { subject: string }[] }>(`/api/v1/admin/audit?action=${action}&limit=200`)).entries.map(({ subject }) => subject)
}

test('while the homeserver is away, the administration says since when, and what works goes on', async ({ browser }) => {
  test.setTimeout(300_000)
  const [title, name] = [`Ausfall ${run}`, `Stillgelegt ${run}`]
  const room = await (await Person.of('weber')).room(name, ['mueller'])
  await Person.with(tokenFor(`ausfall-${run}`, 'user', 1, `Ausfall ${run}`))
  const page = await open(browser, 'chef', '/admin')
  await expect(page.locator('canvas').first()).toBeVisible()
  pauseHomeserver()
  await notify({ title })
  const note = page.getByText(/Der Nachrichtenserver antwortet seit \d\d:\d\d Uhr nicht/).first()
  await expect(note).toBeVisible({ timeout: 90_000 })
  await expect(page.getByText(/1 Meldung wartet/).first()).toBeVisible({ timeout: 60_000 })

  await page.getByRole('link', { name: 'Meldungsprotokoll' }).click()
  await page.getByRole('searchbox', { name: 'In Titel und Text suchen' }).fill(title)
  await expect(row(page, title)).toContainText('wartet')
  await expect(note).toBeVisible()

  await page.getByRole('link', { name: 'Benutzer' }).click()
  await page.getByRole('searchbox', { name: 'Name oder Hub-Kennung suchen' }).fill(`ausfall-${run}`)
  await row(page, `Ausfall ${run}`).click()
  const panel = page.getByRole('complementary')
  await panel.getByRole('button', { name: 'Umbenennen' }).click()
  await page.getByRole('dialog').getByRole('textbox', { name: 'Name' }).fill(`Umbenannt ${run}`)
  await page.getByRole('dialog').getByRole('button', { name: 'Umbenennen' }).click()
  await expect(page.getByRole('complementary', { name: `Umbenannt ${run}` })).toBeVisible()

  await page.goto(`/admin/raeume?q=${encodeURIComponent(name)}`)
  await row(page, name).click()
  await panel.getByRole('button', { name: 'Raum schließen' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Raum schließen' }).click()
  await expect(page.getByRole('dialog').getByText('geschlossen; der Nachrichtenserver folgt, sobald er antwortet')).toBeVisible({ timeout: 60_000 })
  await page.getByRole('button', { name: 'Fertig' }).click()
  await expect(panel.getByText('Dieser Raum ist geschlossen.')).toBeVisible()

  resumeHomeserver()
  await expect(page.getByText(/Der Nachrichtenserver antwortet/)).toHaveCount(0, { timeout: 90_000 })
  await page.goto(`/admin/meldungen?text=${encodeURIComponent(title)}`)
  await expect(row(page, title)).toContainText('zugestellt', { timeout: 120_000 })
  expect(await audited('room.close')).toContain(room)
})

test('a message that waits for a first sign-in is given to somebody else, who gets it at once', async ({ browser }) => {
  const title = `Ausweis ${run}`
  await Person.of('schmidt')
  const anna = await open(browser, 'schmidt', '/meldungen')
  const { id } = await notify({ title, target_type: 'dm', target_user: `nie-da-${run}` })
  const page = await open(browser, 'chef', '/admin/benutzer?ansicht=wartend')
  await row(page, title).getByRole('button', { name: 'Weitergeben' }).click()
  const dialog = page.getByRole('dialog')
  await expect(dialog.getByText(`„${title}“ ist für nie-da-${run}`)).toBeVisible()
  const move = dialog.getByRole('button', { name: 'Weitergeben' })
  await expect(move).toBeDisabled()
  await dialog.getByLabel('Person suchen').fill('schm')
  await dialog.getByRole('button', { name: /Anna Schmidt/ }).click()
  await move.click()
  await expect(dialog).toHaveCount(0)
  await expect(anna.getByRole('article').filter({ hasText: title })).toHaveCount(1)
  await expect(row(page, title).getByRole('button', { name: 'Weitergeben' })).toBeDisabled()
  await page.reload()
  await expect(row(page, title)).toHaveCount(0)
  expect(await audited('notification.readdress')).toContain(String(id))
})

test('several rooms are closed with their progress, and one that was closed meanwhile is named', async ({ browser }) => {
  test.setTimeout(180_000)
  const bert = await Person.of('weber')
  const rooms: string[] = []
  for (const letter of ['A', 'B', 'C', 'D']) rooms.push(await bert.room(`Schluss ${run} ${letter}`, ['mueller']))
  const page = await open(browser, 'chef', `/admin/raeume?q=${encodeURIComponent(`Schluss ${run}`)}`)
  await expect(row(page, /Schluss/)).toHaveCount(4)
  await page.getByRole('checkbox', { name: 'Alle geladenen auswählen' }).check()
  await page.getByRole('button', { name: 'Raum schließen (4)' }).click()
  const dialog = page.getByRole('dialog')
  await expect(dialog.getByText(/8 Mitglieder verlieren den Raum sofort/)).toBeVisible()
  const begin = dialog.getByRole('button', { name: 'Raum schließen' })
  await expect(begin).toBeDisabled()
  // Another administrator was faster with one of them.
  const other = await Person.with(tokenFor(`vertretung-${run}`, 'admin', 1))
  await other.delete(`/api/v1/admin/rooms/${encodeURIComponent(rooms[1] ?? '')}`)
  await dialog.getByRole('textbox').fill('4 Räume')
  await begin.click()
  await expect(dialog.getByText('4 von 4')).toBeVisible({ timeout: 60_000 })
  await expect(dialog.getByText('war schon geschlossen')).toHaveCount(1)
  await dialog.getByRole('button', { name: 'Fertig' }).click()
  await expect(row(page, /Schluss/).filter({ hasText: 'geschlossen' })).toHaveCount(4)
  await page.reload()
  await expect(page.getByText('Kein Raum gefunden')).toBeVisible()
  expect(await audited('room.close')).toEqual(expect.arrayContaining(rooms))
})

test('users are logged out everywhere, and an administrator who is logged out meanwhile goes on with the rest', async ({ browser }) => {
  test.setTimeout(180_000)
  const ids = [1, 2, 3, 4].map((number) => `feier-${run}-${number}`)
  for (const id of ids) await Person.with(tokenFor(id, 'user', 1, `Feierabend ${id}`))
  const user = await openWith(browser, tokenFor(ids[0] ?? '', 'user', 1, `Feierabend ${ids[0]}`))
  const admin = `leitung-${run}`
  const page = await openWith(browser, tokenFor(admin, 'admin', 1), `/admin/benutzer?q=${encodeURIComponent(`feier-${run}`)}`)
  await expect(row(page, /Feierabend/)).toHaveCount(4)
  await page.getByRole('checkbox', { name: 'Alle geladenen auswählen' }).check()
  await page.getByRole('button', { name: 'Überall abmelden' }).click()
  const dialog = page.getByRole('dialog')
  await expect(dialog.getByText('Alle offenen Fenster und Geräte enden sofort.')).toBeVisible()
  const chief = await Person.of('chef')
  let calls = 0
  await page.route('**/logout*', async (route) => {
    calls += 1
    // Right before the third call, the caller is logged out.
    if (calls === 3) await chief.post(`/api/v1/admin/users/${admin}/logout`)
    await route.continue()
  })
  await dialog.getByRole('textbox').fill('4 Benutzer')
  await dialog.getByRole('button', { name: 'Überall abmelden' }).click()
  const expired = page.getByRole('alertdialog', { name: 'Ihre Anmeldung ist abgelaufen' })
  await expect(expired).toBeVisible()
  const again = await page.context().newPage()
  await again.goto(`/chat?hub_token=${tokenFor(admin, 'admin', 1)}`)
  await expect(expired).toHaveCount(0)
  await expect(dialog.getByText('2 von 4')).toBeVisible()
  await expect(dialog.getByText(/Was getan ist, bleibt getan/)).toBeVisible()
  await dialog.getByRole('button', { name: 'Fortsetzen (2 übrig)' }).click()
  await expect(dialog.getByText('4 von 4')).toBeVisible()
  await dialog.getByRole('button', { name: 'Fertig' }).click()
  await expect(user.getByRole('alertdialog', { name: 'Ihre Anmeldung ist abgelaufen' })).toBeVisible()
  expect(await audited('user.logout')).toEqual(expect.arrayContaining(ids))
})

test('what an administrator deletes of others is in the audit, with its room', async ({ browser }) => {
  const bert = await Person.of('weber')
  const room = await bert.room(`Aufsicht ${run}`, ['chef'])
  const { event_id } = await bert.send(room, 'Gehört hier nicht hin')
  const page = await open(browser, 'chef')
  await page.getByRole('link', { name: `Aufsicht ${run}` }).click()
  const message = page.getByRole('log').getByRole('article').filter({ hasText: 'Gehört hier nicht hin' })
  await message.hover()
  await message.getByRole('button', { name: 'Aktionen' }).click()
  await page.getByRole('menuitem', { name: 'Löschen' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Löschen' }).click()
  await expect(message).toHaveCount(0)
  await page.goto(`/admin/audit?subject=${encodeURIComponent(event_id)}`)
  await expect(row(page, 'Nachricht gelöscht')).toHaveCount(1)
  await expect(row(page, 'Nachricht gelöscht')).toContainText(`Raum: ${room}`)
  await expect(row(page, 'Nachricht gelöscht')).toContainText('@weber')
})
