// The inbox on all devices of a user.
import { expect, type Page, test } from '@playwright/test'
import { notify, open, Person, run } from './service'

const card = (page: Page, title: string) => page.getByRole('article').filter({ hasText: title })

test('what was seen on one device is seen on the other, and after a new sign-in', async ({ browser }) => {
  const [first, second] = [`Filter ${run} verschmutzt`, `Filter ${run} getauscht`]
  await notify({ title: `${first} vorher` })
  const [desk, phone] = [await open(browser, 'yilmaz', '/meldungen'), await open(browser, 'yilmaz', '/meldungen')]
  await expect(card(desk, `${first} vorher`)).toBeVisible()
  for (const title of [first, second]) await notify({ title, target_type: 'dm', target_user: 'yilmaz' })
  for (const page of [desk, phone]) await expect(card(page, second)).toBeVisible()
  await card(desk, first).first().getByRole('button', { name: 'Gesehen' }).click()
  await expect(card(phone, first).first().getByRole('button', { name: 'Gesehen' })).toHaveCount(0)
  await desk.getByRole('button', { name: 'Alle gesehen' }).click()
  for (const page of [desk, phone]) await expect(page.getByRole('button', { name: 'Gesehen', exact: true })).toHaveCount(0)
  const again = await open(browser, 'yilmaz', '/meldungen')
  await expect(card(again, second)).toBeVisible()
  await expect(again.getByRole('button', { name: 'Gesehen', exact: true })).toHaveCount(0)
})

test('filters stand in the address and ask the service, and a card opens its message', async ({ browser }) => {
  // Notifications from before the first sign-in count as read.
  await Person.of('schmidt')
  const machine = { target_type: 'entity_room', entity_type: 'machine', entity_id: `m${run}` }
  await notify({ title: `Druck ${run} zu hoch`, source_app: 'presse-app', priority: 'urgent', ...machine })
  await notify({ title: `Druck ${run} wieder gut`, source_app: 'presse-app', ...machine })
  const page = await open(browser, 'schmidt', '/meldungen')
  await card(page, `Druck ${run} wieder gut`).getByRole('button', { name: `machine m${run}` }).click()
  await expect(page.getByRole('article')).toHaveCount(2)
  await page.getByRole('button', { name: 'Dringend', exact: true }).click()
  await expect(page.getByRole('article')).toHaveCount(1)
  await page.reload()
  await expect(page.getByRole('article')).toHaveCount(1)
  await card(page, `Druck ${run} zu hoch`).getByRole('button', { name: 'Gesehen' }).click()
  await page.getByRole('button', { name: 'Alle', exact: true }).click()
  await card(page, `Druck ${run} wieder gut`).getByRole('button', { name: /öffnen/ }).click()
  await expect(page.getByRole('log').getByText(`Druck ${run} wieder gut`)).toHaveCount(1)
  await expect(page.getByRole('log').getByText(`Druck ${run} wieder gut`)).toBeInViewport()
})

test('a single letter is not searched, and the page says so; a long notification is folded', async ({ browser }) => {
  await Person.of('schmidt')
  const end = `Ende der Meldung ${run}`
  await notify({ title: `Lang ${run}`, body: `${'Zeile\n'.repeat(20)}${end}`, target_type: 'dm', target_user: 'schmidt' })
  const page = await open(browser, 'schmidt', '/meldungen')
  const long = card(page, `Lang ${run}`)
  await expect(long).toBeVisible()
  const height = async () => (await long.boundingBox())?.height ?? 0
  const folded = await height()
  await long.getByRole('button', { name: 'Ganze Meldung zeigen' }).click()
  await expect(long.getByRole('button', { name: 'Weniger zeigen' })).toBeVisible()
  expect(await height()).toBeGreaterThan(folded + 100)
  await page.getByRole('searchbox', { name: 'In Meldungen suchen' }).fill('L')
  await expect(page.getByText('Mindestens ein Wort braucht 2 Zeichen.')).toBeVisible()
  await page.getByRole('searchbox', { name: 'In Meldungen suchen' }).fill('La')
  await expect(page.getByText('Mindestens ein Wort braucht 2 Zeichen.')).toHaveCount(0)
})
