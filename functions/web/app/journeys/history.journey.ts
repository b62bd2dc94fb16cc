// Paging back: neither older nor new messages move the visible row.
import { expect, type Page, test } from '@playwright/test'
import { expectAtMost, tasksOf, watchTasks } from './figures'
import { open, Person, roomPath, run } from './service'

/** Messages of the room, by how many at once they are sent, and the longest task while scrolling, in milliseconds. */
const [MESSAGES, AT_ONCE, TASK] = process.env.LONG ? [10_000, 20, 50] : [220, 1, 500]
/** Steps of 700 pixels: 50 pages in the long form. */
const STEPS = process.env.LONG ? 700 : 120

/** Returns the text of the first row that is wholly visible, with its distance from the top in pixels. */
const reading = (page: Page) =>
  page.getByRole('log').evaluate((log) => {
    const top = log.getBoundingClientRect().top
    const rows = [...log.querySelectorAll('article')].map((row) => ({ text: row.textContent?.match(/Zeile \d+\./)?.[0] ?? '', top: row.getBoundingClientRect().top - top }))
    return rows.filter(({ top: distance }) => distance >= 0).toSorted((a, b) => a.top - b.top)[0] ?? { text: '', top: 0 }
  })

/** Returns the distance of the row with this text from the top. */
const distanceOf = (page: Page, text: string) =>
  page.getByRole('log').evaluate((log, wanted) => {
    const row = [...log.querySelectorAll('article')].find((one) => one.textContent?.includes(wanted))
    return row === undefined ? null : row.getBoundingClientRect().top - log.getBoundingClientRect().top
  }, text)

test('pages of older messages do not move the row that is read, and the whole room is found', async ({ browser }) => {
  test.setTimeout(process.env.LONG ? 3_600_000 : 300_000)
  const bert = await Person.of('weber')
  const room = await bert.room(`Verlauf ${run}`, ['mueller'])
  for (let number = 1; number <= MESSAGES; number += AT_ONCE) {
    await Promise.all(Array.from({ length: AT_ONCE }, (_, index) => bert.send(room, `Zeile ${number + index}. ${'Text '.repeat((number + index) % 40)}`)))
  }
  const page = await open(browser, 'mueller', roomPath(room))
  const log = page.getByRole('log')
  await expect(log.getByText(`Zeile ${MESSAGES}.`)).toBeVisible()
  await watchTasks(page)
  for (let step = 0; step < STEPS; step += 1) {
    await log.evaluate((element) => element.scrollBy(0, -700))
    // Two frames: the rows that came into view have been measured.
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))))
    const before = await reading(page)
    await page.waitForTimeout(250)
    const after = await distanceOf(page, before.text)
    expect.soft(Math.abs((after ?? Number.NaN) - before.top), `${before.text} at step ${step}`).toBeLessThanOrEqual(1)
    if (await log.evaluate((element) => element.scrollTop === 0)) break
  }
  const tasks = await tasksOf(page)
  process.stdout.write(`${MESSAGES} messages: ${tasks.length} tasks over 50 ms while scrolling\n`)
  expectAtMost('longest task while scrolling', Math.max(0, ...tasks), TASK)
  if (process.env.LONG) return
  await expect(page.getByText('Hier beginnt der Verlauf.')).toBeVisible()
  await expect(log.getByText(/^Zeile 1\. /)).toBeVisible()
})

test('a reader who has scrolled up is not moved by new messages, and finds the way to the end', async ({ browser }) => {
  const bert = await Person.of('weber')
  const room = await bert.room(`Leser ${run}`, ['mueller'])
  for (let number = 1; number <= 40; number += 1) await bert.send(room, `Zeile ${number}. ${'Text '.repeat(30)}`)
  const page = await open(browser, 'mueller', roomPath(room))
  const log = page.getByRole('log')
  await expect(log.getByText('Zeile 40.')).toBeVisible()
  await log.evaluate((element) => element.scrollBy(0, -900))
  await page.waitForTimeout(300)
  const before = await reading(page)
  await bert.send(room, 'Zeile 41. Neu')
  const button = page.getByRole('button', { name: '1 neue Nachricht' })
  await expect(button).toBeVisible()
  expect(await distanceOf(page, before.text)).toBeCloseTo(before.top, 0)
  await button.click()
  await expect(log.getByText('Zeile 41. Neu')).toBeVisible()
})
