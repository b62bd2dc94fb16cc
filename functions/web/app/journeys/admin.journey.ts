// An administrator retries a failed notification, grants and revokes access, closes a room, and
// finds each act in the audit log. Other users cannot open it.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, type Page, test } from '@playwright/test'
import { homeserver, notify, open, openWith, Person, roomPath, run, tokenFor } from './service'

const ADMIN = 'chef'
const asToken = process.env.MATRIX_AS_TOKEN ?? ''

/** Returns the row of a list that has this text. */
const row = (page: Page, text: string | RegExp) => page.getByRole('row').filter({ hasText: text })

/** Waits until the audit log has an entry of this act, by the administrator. */
async function expectAudit(action: string, subject: string, actor = ADMIN): Promise<void> {
  const admin = await Person.of(ADMIN)
  const query = `/api/v1/admin/audit?action=${action}&subject=${encodeURIComponent(subject)}`
  const actors = async () => (await admin.get<{ entries: { actor: string }[] }>(query)).entries.map((entry) => entry.actor)
  await expect.poll(actors).toContain(actor)
}

test('a user gets a page without access, and the administration is not loaded', async ({ browser }) => {
  const page = await open(browser, 'mueller', '/chat')
  const loaded: string[] = []
  page.on('request', (request) => loaded.push(request.url()))
  await page.goto('/admin/benutzer')
  await expect(page.getByRole('heading', { name: 'Kein Zugriff' }).first()).toBeVisible()
  await expect(page.getByRole('link', { name: 'Verwaltung' })).toHaveCount(0)
  expect(loaded.filter((url) => /admin-|\/api\/v1\/admin/.test(url))).toEqual([])
})

test('a failed notification is found, understood, and sent again once its cause is gone', async ({ browser }) => {
  test.setTimeout(180_000)
  const title = `Presse ${run} steht`
  const target = { target_type: 'entity_room', entity_type: 'press', entity_id: run }
  const { matrix_room_id: room } = await notify({ title: 'Presse läuft', ...target })
  const max = await Person.of('mueller')
  await max.post(`/api/v1/rooms/${encodeURIComponent(room)}/join`)
  const admin = await Person.of(ADMIN)
  await admin.post(`/api/v1/admin/users/${ADMIN}/external-access`, { enabled: true })
  const { homeserver: address } = await admin.get<{ homeserver: string }>('/api/v1/users/me/external-client')
  const { bot_user_id: bot } = await admin.get<{ bot_user_id: string }>('/client-config')
  const state = `/_matrix/client/v3/rooms/${encodeURIComponent(room)}/state/m.room.encryption?user_id=${encodeURIComponent(bot)}`
  const encrypted = await homeserver(address, state, { algorithm: 'm.megolm.v1.aes-sha2' }, asToken, 'PUT')
  expect(encrypted.status).toBe(200)
  await expect.poll(async () => (await max.get<{ rooms: { matrix_room_id: string; encrypted: boolean }[] }>('/api/v1/rooms')).rooms.find((one) => one.matrix_room_id === room)?.encrypted, { timeout: 60_000 }).toBe(true)
  const { id } = await notify({ title, ...target })

  const page = await open(browser, ADMIN, '/admin')
  await expect(page.getByText(/in den letzten 24 Stunden gescheitert/).first()).toBeVisible()
  await page.getByRole('link', { name: /^Ansehen.*gescheitert/ }).click()
  await page.getByRole('searchbox', { name: 'In Titel und Text suchen' }).fill(run)
  await row(page, title).click()
  const panel = page.getByRole('complementary', { name: title })
  await expect(panel.getByText('Angenommen von fertigungs-app')).toBeVisible()
  await expect(panel.getByText(/Der Raum ist verschlüsselt/).first()).toBeVisible()
  await expect(panel.getByText(/Schließen Sie ihn unter Räume/)).toBeVisible()

  await page.goto(`/admin/raeume?q=${encodeURIComponent(room)}`)
  await row(page, /press/).click()
  await page.getByRole('complementary').getByRole('button', { name: 'Raum schließen' }).click()
  const dialog = page.getByRole('dialog')
  await expect(dialog.getByText(/sofort, mit allen Nachrichten und Dateien/)).toBeVisible()
  await dialog.getByRole('button', { name: 'Raum schließen' }).click()
  await expect(page.getByText('Dieser Raum ist geschlossen.')).toBeVisible()

  await page.goto(`/admin/meldungen/${id}`)
  const again = page.getByRole('complementary', { name: title })
  await again.getByRole('button', { name: 'Erneut senden' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Erneut senden' }).click()
  await expect(again.getByText('zugestellt', { exact: true })).toBeVisible({ timeout: 60_000 })
  await expect(again.getByText('Zugestellt', { exact: true })).toBeVisible()
  await expectAudit('room.close', room)
  await expectAudit('notification.retry', String(id))
})

test('access is granted, its password works at the homeserver, and taken away it works no more', async ({ browser }) => {
  test.setTimeout(180_000)
  const anna = await Person.of('schmidt')
  await anna.general()
  await (await Person.of(ADMIN)).post('/api/v1/admin/users/schmidt/external-access', { enabled: false })
  const page = await open(browser, ADMIN, '/admin/benutzer')
  await page.getByRole('searchbox', { name: 'Name oder Hub-Kennung suchen' }).fill('schmidt')
  await row(page, 'Anna Schmidt').click()
  const panel = page.getByRole('complementary', { name: 'Anna Schmidt' })
  await panel.getByRole('button', { name: 'Andere Apps freischalten' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Andere Apps freischalten' }).click()
  await expect(page.getByRole('dialog').getByRole('img', { name: 'QR-Code der Einstellungen' })).toBeVisible()
  await page.getByRole('button', { name: 'Fertig' }).click()
  await expect(row(page, 'Anna Schmidt').getByText('freigeschaltet')).toBeVisible()

  const user = await open(browser, 'schmidt', '/einstellungen')
  await user.getByRole('button', { name: 'Andere App verbinden' }).click()
  await user.getByRole('button', { name: 'Zeigen' }).click()
  const fact = (name: string) => user.getByRole('dialog').locator('dl > div').filter({ has: user.getByText(name, { exact: true }) }).locator('dd')
  const address = await fact('Server').innerText()
  const login = { type: 'm.login.password', identifier: { type: 'm.id.user', user: await fact('Benutzername').innerText() }, password: await fact('Passwort').innerText() }
  const device = await homeserver<{ access_token: string }>(address, '/_matrix/client/v3/login', login)
  expect(device.status).toBe(200)
  const whoami = async () => (await homeserver(address, '/_matrix/client/v3/account/whoami', null, device.body.access_token, 'GET')).status
  expect(await whoami()).toBe(200)

  await panel.getByRole('button', { name: 'Andere Apps sperren' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Andere Apps sperren' }).click()
  await expect(panel.getByRole('button', { name: 'Andere Apps freischalten' })).toBeVisible()
  await expect.poll(whoami, { timeout: 60_000 }).toBe(401)
  expect((await homeserver(address, '/_matrix/client/v3/login', login)).status).toBe(403)
  await expectAudit('user.external_access', 'schmidt')
})

test('a closed room is gone from the browser of its members at once, and closing it again says so', async ({ browser }) => {
  const bert = await Person.of('weber')
  const name = `Baustelle ${run}`
  await Person.of('mueller')
  const room = await bert.room(name, ['mueller'])
  const member = await open(browser, 'mueller', roomPath(room))
  await expect(member.getByRole('heading', { name })).toBeVisible()
  const [page, other] = [await open(browser, ADMIN, `/admin/raeume?q=${encodeURIComponent(name)}`), await open(browser, ADMIN, `/admin/raeume?q=${encodeURIComponent(name)}`)]
  for (const one of [page, other]) {
    await row(one, name).click()
    await one.getByRole('complementary').getByRole('button', { name: 'Raum schließen' }).click()
  }
  await page.getByRole('dialog').getByRole('button', { name: 'Raum schließen' }).click()
  await expect(member.getByText(`Die Administration hat den Raum „${name}“ geschlossen.`)).toBeVisible()
  await expect(member.getByRole('link', { name })).toHaveCount(0)
  await other.getByRole('dialog').getByRole('button', { name: 'Raum schließen' }).click()
  await expect(other.getByRole('dialog').getByText('war schon geschlossen')).toBeVisible()
  await expectAudit('room.close', room)
})

test('the later of two administrators sees what has changed, and a broken name is refused at its field', async ({ browser }) => {
  await Person.of('yilmaz')
  const page = await open(browser, ADMIN, '/admin/benutzer/yilmaz')
  const panel = page.getByRole('complementary', { name: /Deniz/ })
  await panel.getByRole('button', { name: 'Umbenennen' }).click()
  const dialog = page.getByRole('dialog')
  const field = dialog.getByRole('textbox', { name: 'Name' })
  for (const [bad, words] of [['', 'Geben Sie einen Namen ein.'], ['a'.repeat(256), 'höchstens 255 Zeichen'], ['De\u202Eniz', 'unsichtbare Zeichen']] as const) {
    await field.fill(bad)
    await dialog.getByRole('button', { name: 'Umbenennen' }).click()
    await expect(dialog.getByText(words)).toBeVisible()
  }
  const superior = await Person.with(tokenFor('zentrale', 'super_admin', 1, 'Zoe Zentrale'))
  await superior.patch('/api/v1/admin/users/yilmaz', { display_name: `Deniz ${run}` })
  await field.fill('Deniz (Schicht 2)')
  await dialog.getByRole('button', { name: 'Umbenennen' }).click()
  await expect(dialog.getByRole('alert')).toContainText(`Inzwischen hat zentrale dieses Konto geändert`)
  await expect(dialog.getByRole('alert')).toContainText(`„Deniz ${run}“`)
  await dialog.getByRole('button', { name: 'Umbenennen' }).click()
  await expect(page.getByRole('complementary', { name: 'Deniz (Schicht 2)' })).toBeVisible()
  await expectAudit('user.rename', 'yilmaz')
  await expectAudit('user.rename', 'yilmaz', 'zentrale')
})

test('many held messages are cancelled row by row, a session that ends in between keeps what was done', async ({ browser }) => {
  test.setTimeout(180_000)
  const titles = Array.from({ length: 12 }, (_, number) => `Freigabe ${run}-${number}`)
  for (const title of titles) await notify({ title, target_type: 'dm', target_user: `neu-${run}` })
  const page = await open(browser, ADMIN, `/admin/meldungen?text=${encodeURIComponent(`Freigabe ${run}`)}`)
  await expect(row(page, /Freigabe/)).toHaveCount(12)
  await page.getByRole('checkbox', { name: 'Alle geladenen auswählen' }).check()
  await page.getByRole('button', { name: 'Zustellung abbrechen (12)' }).click()
  const dialog = page.getByRole('dialog').first()
  const begin = dialog.getByRole('button', { name: 'Zustellung abbrechen' })
  await expect(begin).toBeDisabled()
  await dialog.getByRole('textbox').fill('12 Meldungen')
  let calls = 0
  await page.route('**/cancel*', async (route) => {
    calls += 1
    if (calls === 4) await route.fulfill({ status: 401, contentType: 'application/problem+json', body: JSON.stringify({ code: 'token_expired', detail: 'expired' }) })
    else await route.continue()
  })
  await begin.click()
  await page.getByRole('button', { name: 'Ich bin wieder angemeldet' }).click()
  await expect(dialog.getByText('3 von 12')).toBeVisible()
  await expect(dialog.getByText(/Was getan ist, bleibt getan/)).toBeVisible()
  await dialog.getByRole('button', { name: 'Fortsetzen (9 übrig)' }).click()
  await expect(dialog.getByText('12 von 12')).toBeVisible()
  await dialog.getByRole('button', { name: 'Fertig' }).click()
  await expect(row(page, /Freigabe/).filter({ hasText: 'abgebrochen' })).toHaveCount(12)

  await page.getByRole('button', { name: 'Alle des Filters' }).click()
  await page.getByRole('menuitem', { name: 'Alle des Filters erneut senden' }).click()
  await expect(dialog.getByText('12 Meldungen passen zum Filter.')).toBeVisible()
  await dialog.getByRole('textbox').fill('12 Meldungen')
  await dialog.getByRole('button', { name: 'Erneut senden' }).click()
  await expect(dialog.getByText(/12 von 12/)).toBeVisible()
  await dialog.getByRole('button', { name: 'Fertig' }).click()
  await page.goto('/admin/benutzer?ansicht=wartend')
  await expect(row(page, `Freigabe ${run}-3`)).toBeVisible()
})

test('a test notification is marked everywhere, and the CSV has it', async ({ browser }) => {
  await Person.of('mueller')
  const page = await open(browser, ADMIN, '/admin/meldungen')
  await page.getByRole('button', { name: 'Probemeldung' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByRole('searchbox', { name: 'Person suchen' }).fill('mueller')
  await dialog.getByRole('button', { name: /Max Müller/ }).click()
  await dialog.getByRole('textbox', { name: 'Text (optional)' }).fill(`Probe ${run}`)
  await dialog.getByRole('button', { name: 'Probemeldung senden' }).click()
  await expect(page.getByRole('complementary', { name: new RegExp(`Test: .*Probe ${run}`) }).getByText('Test', { exact: true })).toBeVisible()
  const download = page.waitForEvent('download')
  await page.getByRole('button', { name: 'CSV' }).click()
  const stream = await (await download).createReadStream()
  const parts: Buffer[] = []
  for await (const part of stream) parts.push(part as Buffer)
  const text = Buffer.concat(parts).toString('utf8')
  expect(text.startsWith('\uFEFF')).toBe(true)
  expect(text).toContain(`Probe ${run}`)
})

test('the lines for satellites work as they are pasted, and the call is listed', async ({ browser }) => {
  const page = await open(browser, ADMIN, '/admin/anbindung')
  const lines = await page.locator('pre', { hasText: 'curl -X POST' }).innerText()
  const { stdout } = await promisify(execFile)('bash', ['-c', lines], { env: { ...process.env, MESSENGER_SERVICE_TOKEN: process.env.MESSENGER_SERVICE_TOKEN ?? 'messenger-service-token-dev' } })
  const { id } = JSON.parse(stdout) as { id: number }
  await page.reload()
  await expect(page.getByText(`201 · id ${id}`)).toBeVisible()
})

test('the administrator of another tenant sees nothing, and a super administrator chooses visibly', async ({ browser }) => {
  const title = `Intern ${run}`
  const { id } = await notify({ title })
  const foreign = await openWith(browser, tokenFor(`fremd-${run}`, 'admin', 9), '/admin/meldungen')
  await expect(foreign.getByText('Noch keine Meldungen')).toBeVisible()
  await foreign.goto(`/admin/meldungen/${id}`)
  await expect(foreign.getByText('Das gibt es nicht, oder Sie haben keinen Zugriff.')).toBeVisible()
  await foreign.goto('/admin/benutzer?mandant=1')
  await expect(foreign.getByText('Diesen Mandanten gibt es nicht')).toBeVisible()
  await expect(foreign.getByRole('grid')).toHaveCount(0)

  const superior = await openWith(browser, tokenFor(`oben-${run}`, 'super_admin', 9), '/admin/meldungen')
  await superior.getByRole('combobox', { name: 'Mandant' }).selectOption('1')
  await expect(superior.getByText('Fremder Mandant')).toBeVisible()
  await expect(row(superior, title)).toBeVisible()
  await superior.getByRole('link', { name: 'Benutzer' }).click()
  await expect(superior.getByText('Fremder Mandant')).toBeVisible()
  expect(superior.url()).toContain('mandant=1')
})

test('a list is used by the keyboard alone', async ({ browser }) => {
  for (const number of [1, 2, 3]) await notify({ title: `Tasten ${run} ${number}` })
  const page = await open(browser, ADMIN, `/admin/meldungen?text=${encodeURIComponent(`Tasten ${run}`)}`)
  await expect(row(page, /Tasten/)).toHaveCount(3)
  await row(page, `Tasten ${run} 3`).focus()
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('Space')
  await page.keyboard.press('End')
  await page.keyboard.press('Space')
  await expect(page.getByText('2 ausgewählt')).toBeVisible()
  await page.keyboard.press('Enter')
  await expect(page.getByRole('complementary', { name: `Tasten ${run} 1` })).toBeVisible()
  await page.keyboard.press('Escape')
  await expect(page.getByRole('complementary')).toHaveCount(0)
})
