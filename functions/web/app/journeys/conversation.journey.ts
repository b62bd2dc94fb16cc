// Replies, edits, deletions, reactions, mentions, mute, and the way to an older message.
import { expect, type Page, test } from '@playwright/test'
import { open, Person, roomPath, run } from './service'

const row = (page: Page, text: string) => page.getByRole('log').getByRole('article').filter({ hasText: text })

async function act(page: Page, text: string, action: string): Promise<void> {
  await row(page, text).hover()
  await row(page, text).getByRole('button', { name: 'Aktionen' }).click()
  await page.getByRole('menuitem', { name: action }).click()
}

test('a reply, an edit, a reaction and a deletion are seen by the other one at once, and after a reload', async ({ browser }) => {
  const bert = await Person.of('weber')
  const room = await bert.room(`Gespräch ${run}`, ['mueller', 'schmidt'])
  await bert.send(room, 'Wer übernimmt die Presse?')
  const [max, anna] = [await open(browser, 'mueller', roomPath(room)), await open(browser, 'schmidt', roomPath(room))]
  await act(max, 'Wer übernimmt', 'Antworten')
  await expect(max.getByText('Antwort auf Bernd Weber')).toBeVisible()
  await max.getByLabel(`Nachricht an Gespräch ${run}`).fill('Ich, ab **10 Uhr**')
  await max.keyboard.press('Enter')
  const reply = row(anna, 'ab 10 Uhr')
  await expect(reply.getByRole('button', { name: /Antwort auf:.*Wer übernimmt die Presse/ })).toBeVisible()
  await expect(reply.locator('strong')).toHaveText('10 Uhr')

  await act(anna, 'ab 10 Uhr', 'Reagieren')
  await anna.getByLabel('Emoji suchen').fill('daumen hoch')
  await anna.keyboard.press('Enter')
  const liked = (page: Page, text: string) => row(page, text).getByRole('button', { name: /Mit 👍 reagieren, 1 Person/ })
  await expect(liked(anna, 'ab 10 Uhr')).toHaveAttribute('aria-pressed', 'true')
  await expect(liked(max, 'ab 10 Uhr')).toHaveAttribute('aria-pressed', 'false')

  await max.getByLabel(`Nachricht an Gespräch ${run}`).press('ArrowUp')
  const edit = max.getByLabel('Nachricht bearbeiten')
  await expect(edit).toHaveValue('Ich, ab **10 Uhr**')
  await edit.fill('Ich, ab 11 Uhr')
  await max.keyboard.press('Enter')
  for (const page of [max, anna]) await expect(row(page, 'Ich, ab 11 Uhr').getByText('(bearbeitet)')).toBeVisible()
  for (const page of [max, anna]) await page.reload()
  for (const page of [max, anna]) {
    await expect(row(page, 'Ich, ab 11 Uhr').getByText('(bearbeitet)')).toBeVisible()
    await expect(liked(page, 'Ich, ab 11 Uhr')).toBeVisible()
  }
  await liked(anna, 'Ich, ab 11 Uhr').click()
  for (const page of [max, anna]) await expect(row(page, 'Ich, ab 11 Uhr').getByRole('list', { name: 'Reaktionen' })).toHaveCount(0)

  await act(max, 'Ich, ab 11 Uhr', 'Löschen')
  await max.getByRole('dialog').getByRole('button', { name: 'Löschen' }).click()
  for (const page of [max, anna]) await expect(row(page, 'Ich, ab 11 Uhr')).toHaveCount(0)
})

test('a deleted message is gone from the reply that somebody is writing, and from their device', async ({ browser }) => {
  const bert = await Person.of('weber')
  const room = await bert.room(`Gelöscht ${run}`, ['mueller'])
  const { event_id } = await bert.send(room, 'GEHEIM-77 liegt im Spind')
  const page = await open(browser, 'mueller', roomPath(room))
  await act(page, 'GEHEIM-77', 'Antworten')
  await expect(page.getByText('Antwort auf Bernd Weber')).toBeVisible()
  const field = page.getByLabel(`Nachricht an Gelöscht ${run}`)
  await field.fill('Danke, hole ich')
  // The pause before a draft is stored.
  await page.waitForTimeout(800)
  await bert.delete(`/api/v1/messages/${encodeURIComponent(room)}/${encodeURIComponent(event_id)}`)
  const gone = page.getByText('Die Nachricht, auf die Sie antworten, wurde gelöscht.')
  for (const isReloaded of [false, true]) {
    if (isReloaded) await page.reload()
    await expect(gone).toBeVisible()
    await expect(field).toHaveValue('Danke, hole ich')
    await expect(page.getByText('GEHEIM-77')).toHaveCount(0)
  }
  const stored = await page.evaluate(async () => {
    const result = <T>(request: IDBRequest<T>) => new Promise<T>((resolve) => (request.onsuccess = () => resolve(request.result)))
    const names = (await indexedDB.databases()).flatMap(({ name }) => (name?.startsWith('messenger ') ? [name] : []))
    const drafts = names.map(async (name) => result((await result(indexedDB.open(name))).transaction('drafts').objectStore('drafts').getAll()))
    return JSON.stringify(await Promise.all(drafts))
  })
  expect(stored).toContain('Danke, hole ich')
  expect(stored).not.toContain('GEHEIM-77')
  await field.press('Enter')
  await expect.poll(() => bert.texts(room)).toEqual(['Danke, hole ich'])
  await expect(page.getByRole('article', { name: 'Noch nicht gesendet' })).toHaveCount(0)
})

test('a formatted text has the line breaks of its sender, and its preview no marks', async ({ browser }) => {
  const bert = await Person.of('weber')
  const room = await bert.room(`Absätze ${run}`, ['mueller'])
  await bert.send(room, '**Fett** Zeile 1\nZeile 2\nZeile 3\n\n- Öl\n- Filter', { format: 'markdown' })
  const page = await open(browser, 'mueller', roomPath(room))
  const text = row(page, 'Zeile 1').locator('.rich')
  await expect(text.getByText('Öl')).toBeVisible()
  expect(await text.locator('p').evaluate((element) => (element as HTMLElement).innerText)).toBe('Fett Zeile 1\nZeile 2\nZeile 3')
  // Six lines with one gap: each break stands once.
  const lines = await text.evaluate((element) => element.getBoundingClientRect().height / Number.parseFloat(getComputedStyle(element).lineHeight))
  expect(lines).toBeLessThan(6)
  await expect(page.getByRole('link', { name: `Absätze ${run}` })).toContainText('Fett Zeile 1 Zeile 2')
})

test('a mention is offered by name, marks its message, and counts in the list', async ({ browser }) => {
  const bert = await Person.of('weber')
  const room = await bert.room(`Erwähnt ${run}`, ['mueller', 'schmidt'])
  const [max, anna] = [await open(browser, 'mueller', roomPath(room)), await open(browser, 'schmidt')]
  const field = max.getByLabel(`Nachricht an Erwähnt ${run}`)
  await field.pressSequentially('Bitte @schm')
  await expect(max.getByRole('option', { name: /Anna Schmidt/ })).toBeVisible()
  await max.keyboard.press('Tab')
  await expect(field).toHaveValue('Bitte @Anna Schmidt ')
  await field.pressSequentially('prüfen')
  await max.keyboard.press('Enter')
  const link = anna.getByRole('link', { name: `Erwähnt ${run}` })
  await expect(link.getByRole('img', { name: 'Erwähnt Sie' })).toBeVisible()
  await link.click()
  await expect(row(anna, '@Anna Schmidt prüfen').getByText('Erwähnt Sie')).toBeAttached()
  await expect(link.getByRole('img', { name: 'Erwähnt Sie' })).toHaveCount(0)
})

test('a muted room is quiet on all devices of its reader', async ({ browser }) => {
  const bert = await Person.of('weber')
  const room = await bert.room(`Stumm ${run}`, ['mueller'])
  const [page, device] = [await open(browser, 'mueller', roomPath(room)), await open(browser, 'mueller')]
  await page.getByRole('button', { name: 'Mehr', exact: true }).click()
  await page.getByRole('menuitem', { name: 'Stummschalten' }).click()
  const link = device.getByRole('link', { name: `Stumm ${run}` })
  await expect(link.getByRole('img', { name: 'Stumm' })).toBeVisible()
  const title = await device.title()
  await bert.send(room, 'leise')
  await expect(link).toContainText('leise')
  expect(await device.title()).toBe(title)
})

test('a link leads to an older message and on from there to the newest ones', async ({ browser }) => {
  test.setTimeout(240_000)
  const bert = await Person.of('weber')
  const room = await bert.room(`Weit ${run}`, ['mueller'])
  const { event_id } = await bert.send(room, 'Die gesuchte Zeile')
  for (let number = 1; number <= 140; number += 1) await bert.send(room, `Zeile ${number}.`)
  const page = await open(browser, 'mueller')
  await page.goto(`${roomPath(room)}?nachricht=${encodeURIComponent(event_id)}`)
  const log = page.getByRole('log')
  await expect(log.getByText('Die gesuchte Zeile')).toBeInViewport()
  await expect(log.getByText('Zeile 140.')).toHaveCount(0)
  await page.getByRole('button', { name: 'Zum Ende' }).click()
  await expect(log.getByText('Zeile 140.')).toBeInViewport()
  await bert.send(room, 'Danach')
  await expect(log.getByText('Danach')).toBeInViewport()
})

test('a link to a message that is gone opens the room all the same', async ({ browser }) => {
  const bert = await Person.of('weber')
  const room = await bert.room(`Fort ${run}`, ['mueller'])
  await bert.send(room, 'Noch da')
  const page = await open(browser, 'mueller')
  await page.goto(`${roomPath(room)}?nachricht=${encodeURIComponent('$gibtesnicht')}`)
  await expect(page.getByText('Diese Nachricht gibt es nicht mehr.').first()).toBeVisible()
  await expect(page.getByRole('log').getByText('Noch da')).toBeVisible()
})

test('what was not read yet stands below a line, also when it was written elsewhere', async ({ browser }) => {
  const bert = await Person.of('weber')
  const room = await bert.room(`Linie ${run}`, ['mueller'])
  const page = await open(browser, 'mueller', roomPath(room))
  await bert.send(room, 'gelesen')
  await expect(page.getByRole('log').getByText('gelesen')).toBeVisible()
  const max = await Person.of('mueller')
  const unread = async () => (await max.get<{ rooms: { matrix_room_id: string; unread_count: number }[] }>('/api/v1/rooms')).rooms.find(({ matrix_room_id }) => matrix_room_id === room)?.unread_count
  await expect.poll(unread).toBe(0)
  await page.goto('/einstellungen')
  for (const text of ['neu eins', 'neu zwei']) await bert.send(room, text)
  await page.goto(roomPath(room))
  await expect(page.getByRole('log').getByText('neu zwei')).toBeVisible()
  const above = await page.getByRole('log').evaluate((log) => {
    const line = log.querySelector('[role=separator][aria-label="Neue Nachrichten"]')
    return line?.parentElement?.textContent ?? ''
  })
  expect(above).toContain('neu eins')
})
