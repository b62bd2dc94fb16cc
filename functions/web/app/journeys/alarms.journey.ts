// Alarms in the pages: one card for a fault, acts of users on all devices, and acts that come too late or not at all.
import { type Browser, expect, type Page, test } from '@playwright/test'
import { alarm, notify, open, openWith, Person, roomPath, run, tokenFor } from './service'

const card = (page: Page, title: string) => page.getByRole('article').filter({ hasText: title })
const top = (page: Page) => page.getByRole('region', { name: 'Offene Störungen' })
const act = (page: Page, title: string, name: string) => card(page, title).getByRole('button', { name, exact: true }).click()

/** Opens the page of notifications for two users. */
async function desks(browser: Browser): Promise<[Page, Page]> {
  // Notifications from before the first sign-in count as read.
  await Promise.all(['mueller', 'schmidt'].map((user) => Person.of(user)))
  return [await open(browser, 'mueller', '/meldungen'), await open(browser, 'schmidt', '/meldungen')]
}

const keys = new Set<string>()
/** Reports a fault; it is over at the end of the journey. */
async function fault(name: string, fields: Record<string, unknown> = {}): Promise<string> {
  const title = `${name} ${run}`
  keys.add(title)
  await alarm({ dedup_key: title, title, ...fields })
  return title
}
test.afterEach(async () => {
  for (const key of keys) await notify({ dedup_key: key, event_action: 'cancel' })
  keys.clear()
})

test('a fault that is reported three times is one card; an act in one browser is seen in the other', async ({ browser }) => {
  const [max, anna] = await desks(browser)
  const title = await fault('Öldruck', { body: '2,1 bar' })
  for (const _ of ['second', 'third']) await fault('Öldruck', { body: '2,1 bar' })
  for (const page of [max, anna]) {
    await expect(card(page, title)).toHaveCount(1)
    await expect(top(page).getByRole('article').filter({ hasText: title })).toContainText(/3× seit \d\d:\d\d/)
    await expect(card(page, title)).toContainText('Unquittiert')
  }
  await act(max, title, 'Quittieren')
  for (const page of [max, anna]) await expect(card(page, title)).toContainText(/Quittiert von Max Müller, \d\d:\d\d/)
  await expect(card(anna, title).getByRole('button', { name: 'Quittieren', exact: true })).toHaveCount(0)
  // A screen reader hears of it, once, and of no number.
  await expect(anna.getByRole('status').filter({ hasText: `Quittiert von Max Müller: ${title}` })).toHaveCount(1)
  await act(anna, title, 'Erledigt')
  for (const page of [max, anna]) {
    await expect(card(page, title)).toContainText(/Behoben von Anna Schmidt/)
    // It remains in the list of the day, once nobody is about to press one of its buttons.
    await expect(top(page).getByRole('article').filter({ hasText: title })).toHaveCount(0)
    await expect(page.getByRole('region', { name: 'Heute' }).getByRole('article').filter({ hasText: title })).toHaveCount(1)
  }
})

test('an urgent alarm stays on top of every page until somebody acknowledges it, also when it was seen', async ({ browser }) => {
  await Promise.all(['mueller', 'schmidt'].map((user) => Person.of(user)))
  const [max, anna] = [await open(browser, 'mueller'), await open(browser, 'schmidt', '/meldungen')]
  const title = await fault('Schutztür', { priority: 'urgent' })
  const bar = (page: Page) => page.getByRole('alert').filter({ hasText: title })
  for (const page of [max, anna]) await expect(bar(page)).toBeVisible()
  await anna.getByRole('button', { name: 'Alle gesehen' }).click()
  await expect(card(anna, title).getByRole('button', { name: 'Quittieren', exact: true })).toBeVisible()
  await expect(bar(anna)).toBeVisible()
  await bar(max).getByRole('button', { name: 'Quittieren' }).click()
  for (const page of [max, anna]) await expect(bar(page)).toHaveCount(0)
  await expect(card(anna, title)).toContainText('Quittiert von Max Müller')
})

test('a comment and each act stand in the journal, and the acknowledgement is withdrawn in the menu', async ({ browser }) => {
  const [max, anna] = await desks(browser)
  const title = await fault('Kühlmittel')
  await act(max, title, 'Quittieren')
  await expect(card(max, title)).toContainText('Quittiert von Max Müller')
  await act(anna, title, 'Kommentar')
  await anna.getByRole('dialog').getByLabel('Kommentar', { exact: true }).fill('Filter ist bestellt')
  await anna.getByRole('dialog').getByRole('button', { name: 'Speichern' }).click()
  await expect(anna.getByRole('dialog')).toHaveCount(0)
  await card(max, title).getByRole('button', { name: 'Mehr' }).click()
  await max.getByRole('menuitem', { name: 'Quittierung zurücknehmen' }).click()
  for (const page of [max, anna]) await expect(card(page, title)).toContainText('Unquittiert')
  await act(anna, title, 'Verlauf')
  const journal = anna.getByRole('complementary', { name: title })
  const lines = journal.getByRole('listitem')
  await expect(lines.nth(0)).toContainText(/Quittierung zurückgenommen\s*Max Müller/)
  await expect(lines.nth(1)).toContainText(/Kommentar\s*Anna Schmidt\s*Filter ist bestellt/)
  await expect(lines.nth(2)).toContainText(/Quittiert\s*Max Müller/)
  await expect(lines.nth(3)).toContainText(/Gemeldet\s*fertigungs-app/)
  await anna.keyboard.press('Escape')
  await expect(journal).toHaveCount(0)
  await expect(card(anna, title).getByRole('button', { name: 'Verlauf' })).toBeFocused()
})

test('a comment that is being written stays, although its alarm ends meanwhile', async ({ browser }) => {
  const [page] = await desks(browser)
  const title = await fault('Kommentar')
  await act(page, title, 'Kommentar')
  const field = page.getByRole('dialog').getByLabel('Kommentar', { exact: true })
  await field.fill('Dichtung getauscht')
  await notify({ dedup_key: title, event_action: 'cancel' })
  await expect(page.getByRole('region', { name: 'Heute', includeHidden: true }).getByText(title)).toBeAttached()
  await expect(field).toHaveValue('Dichtung getauscht')
  await page.keyboard.press('Escape')
  await act(page, title, 'Kommentar')
  await expect(field).toHaveValue('Dichtung getauscht')
  await page.getByRole('dialog').getByRole('button', { name: 'Speichern' }).click()
  await expect(page.getByRole('dialog')).toHaveCount(0)
  await act(page, title, 'Verlauf')
  await expect(page.getByRole('complementary').getByText('Dichtung getauscht')).toBeVisible()
})

test('a viewer sees the alarm and why there are no buttons', async ({ browser }) => {
  const page = await openWith(browser, tokenFor(`leser-${run}`, 'viewer', 1, 'Leser'), '/meldungen')
  const title = await fault('Druckluft')
  await expect(card(page, title)).toBeVisible()
  for (const name of ['Quittieren', 'Erledigt', 'Kommentar']) await expect(card(page, title).getByRole('button', { name, exact: true })).toHaveCount(0)
  await expect(top(page).getByText('Sie haben nur Leserechte')).toBeVisible()
})

test('a click on an earlier fault does not acknowledge the present one, and says so', async ({ browser }) => {
  await Person.of('mueller')
  const title = await fault('Lichtgitter')
  const page = await open(browser, 'mueller', '/meldungen')
  await expect(card(page, title)).toContainText('Unquittiert')
  // The page as it was when it showed the episode of yesterday.
  await page.route('**/alarms/*/ack', (route) => route.continue({ postData: JSON.stringify({ episode: 0 }) }), { times: 1 })
  await act(page, title, 'Quittieren')
  await expect(card(page, title).getByRole('alert')).toContainText('Das war eine frühere Störung.')
  await expect(card(page, title)).toContainText('Unquittiert')
  await act(page, title, 'Quittieren')
  await expect(card(page, title)).toContainText('Quittiert von Max Müller')
  await expect(card(page, title).getByRole('alert')).toHaveCount(0)
})

test('an act without a network is not lost: the card says so, and sends it again', async ({ browser }) => {
  const [max, anna] = await desks(browser)
  const title = await fault('Absaugung')
  await expect(card(max, title)).toContainText('Unquittiert')
  await max.context().setOffline(true)
  await act(max, title, 'Quittieren')
  await expect(card(max, title).getByRole('alert')).toContainText('„Quittieren“ wurde nicht gesendet')
  await expect(card(max, title)).toContainText('Unquittiert')
  await max.context().setOffline(false)
  await act(max, title, 'Erneut')
  for (const page of [max, anna]) await expect(card(page, title)).toContainText('Quittiert von Max Müller')
  await expect(card(max, title).getByRole('alert')).toHaveCount(0)
})

test('counters move no card, and the filter of alarms stands in the address', async ({ browser }) => {
  const [page] = await desks(browser)
  const first = await fault('Zähler eins', { priority: 'high' })
  const second = await fault('Zähler zwei', { priority: 'high' })
  await page.getByRole('button', { name: 'Störungen', exact: true }).click()
  await expect(page).toHaveURL(/status=stoerungen/)
  const order = () => top(page).getByRole('heading', { name: /^Zähler/ }).allTextContents()
  await expect.poll(order).toEqual([first, second])
  const before = await card(page, second).boundingBox()
  for (let count = 2; count <= 12; count += 1) await alarm({ dedup_key: second, title: second, priority: 'high' })
  await expect(card(page, second)).toContainText('12× seit')
  expect(await order()).toEqual([first, second])
  expect(await card(page, second).boundingBox()).toEqual(before)
  await page.reload()
  await expect.poll(order).toEqual([first, second])
  await expect(page.getByRole('region', { name: 'Heute' })).toHaveCount(0)
})

test('in its room, an alarm is one message with its present state, and not marked as edited', async ({ browser }) => {
  await Person.of('mueller')
  const thing = { target_type: 'entity_room', entity_type: 'machine', entity_id: `a${run}` }
  const title = `Spindel ${run}`
  keys.add(title)
  const { matrix_room_id: room } = await alarm({ dedup_key: title, title, ...thing })
  const max = await Person.of('mueller')
  await max.post(`/api/v1/rooms/${encodeURIComponent(room)}/join`)
  const [page, inbox] = [await open(browser, 'mueller', roomPath(room)), await open(browser, 'mueller', '/meldungen')]
  const message = page.getByRole('log').getByRole('article').filter({ hasText: title })
  await expect(message).toHaveCount(1)
  await expect(message).toContainText('Unquittiert')
  for (const _ of ['second', 'third']) await alarm({ dedup_key: title, title, ...thing })
  await expect(message).toContainText(/3× seit/)
  await act(inbox, title, 'Quittieren')
  await expect(message).toContainText('Quittiert von Max Müller')
  await page.reload()
  await expect(message).toHaveCount(1)
  await expect(message).toContainText('Quittiert von Max Müller')
  await expect(message).not.toContainText('(bearbeitet)')
  await expect(message).not.toContainText('❗')
  await message.getByRole('link', { name: 'Störung ansehen' }).click()
  await expect(page.getByRole('complementary', { name: title })).toBeVisible()
})
