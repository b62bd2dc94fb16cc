// Rights that end while a page is open: the content goes at once, the reason is named, and no typed text is lost.
import { expect, test } from '@playwright/test'
import { open, openWith, Person, roomPath, run, tokenFor } from './service'

test('a logout by the administration takes the content off the page, and keeps the draft for its user', async ({ browser }) => {
  const user = `tablet-${run}`
  await Person.with(tokenFor(user, 'user', 1, 'Tablet Halle 2'))
  const [bert, chef] = [await Person.of('weber'), await Person.of('chef')]
  const { matrix_room_id: room } = await bert.post<{ matrix_room_id: string }>('/api/v1/rooms', { name: `Vertraulich ${run}`, invite_users: [user] })
  await bert.send(room, 'Kalkulation 4711')
  const page = await openWith(browser, tokenFor(user, 'user', 1, 'Tablet Halle 2'))
  await page.goto(roomPath(room))
  await expect(page.getByRole('log').getByText('Kalkulation 4711')).toBeVisible()
  const field = page.getByLabel(`Nachricht an Vertraulich ${run}`)
  await field.fill('Mein halber Satz')
  await page.waitForTimeout(800)
  await chef.post(`/api/v1/admin/users/${user}/logout`)
  await expect(page.getByRole('heading', { name: 'Sie wurden abgemeldet' })).toBeVisible()
  await expect(page.getByText('Die Administration hat Sie auf allen Geräten abgemeldet.')).toBeVisible()
  for (const text of ['Kalkulation 4711', `Vertraulich ${run}`, 'Mein halber Satz']) await expect(page.getByText(text)).toHaveCount(0)
  await page.reload()
  await expect(page.getByRole('heading', { name: 'Sie wurden abgemeldet' })).toBeVisible()
  // Tokens have whole seconds: one of the same second would count as issued before the logout.
  await page.waitForTimeout(2_000)
  await page.goto(`${roomPath(room)}?hub_token=${tokenFor(user, 'user', 1, 'Tablet Halle 2')}`)
  await expect(field).toHaveValue('Mein halber Satz')
})

test('a room that is closed says so, and leaves the text that was being typed', async ({ browser }) => {
  const [bert, chef] = [await Person.of('weber'), await Person.of('chef')]
  const name = `Umbau ${run}`
  const room = await bert.room(name, ['mueller'])
  await bert.send(room, 'Erste Nachricht')
  const page = await open(browser, 'mueller', roomPath(room))
  await page.getByLabel(`Nachricht an ${name}`).fill('Ein langer Bericht\nmit zwei Zeilen')
  await chef.delete(`/api/v1/admin/rooms/${encodeURIComponent(room)}`)
  await expect(page.getByRole('alert').filter({ hasText: `Die Administration hat den Raum „${name}“ geschlossen.` })).toBeVisible()
  const unsent = page.getByRole('main').getByRole('region', { name: 'Nicht gesendet' }).filter({ has: page.getByRole('button', { name: 'Text kopieren' }) })
  await expect(unsent.getByText('Ein langer Bericht mit zwei Zeilen')).toBeVisible()
  // The list leads back to it, also after a reload.
  await page.waitForTimeout(800)
  await page.goto('/chat')
  await page.getByRole('link', { name: /Entwurf:.*Ein langer Bericht/ }).click()
  await expect(unsent.getByText('Ein langer Bericht mit zwei Zeilen')).toBeVisible()
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
  await unsent.getByRole('button', { name: 'Text kopieren' }).click()
  await expect(unsent.getByText('Der Text wurde kopiert.')).toBeVisible()
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe('Ein langer Bericht\nmit zwei Zeilen')
  await unsent.getByRole('button', { name: 'Verwerfen' }).click()
  await expect(page.getByText('Ein langer Bericht')).toHaveCount(0)
})
