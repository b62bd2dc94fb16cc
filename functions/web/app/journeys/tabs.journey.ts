// Tabs of one browser: one stream for all, with a shared worker and without one.
import { type BrowserContext, expect, type Page, test } from '@playwright/test'
import { hubToken, open, Person, roomPath, run } from './service'

/** Removes the shared worker from all pages of a context. */
async function withoutWorker(context: BrowserContext): Promise<void> {
  await context.addInitScript(() => {
    Object.defineProperty(window, 'SharedWorker', { value: undefined })
  })
}

const live = (page: Page) => expect(page.getByText('Live', { exact: true })).toBeVisible()

test('seven tabs share one stream and all load', async ({ browser }) => {
  const first = await open(browser, 'mueller')
  const tabs = await Promise.all(Array.from({ length: 6 }, () => first.context().newPage()))
  for (const tab of tabs) await tab.goto('/chat')
  for (const tab of [first, ...tabs]) await live(tab)
})

test('without a shared worker one tab has the stream, and another one takes over when it is closed', async ({ browser }) => {
  const bert = await Person.of('weber')
  const room = await bert.room(`Tabs ${run}`, ['mueller'])
  const context = await browser.newContext()
  await withoutWorker(context)
  const streams: Page[] = []
  context.on('request', (request) => {
    if (request.url().includes('/events/stream')) streams.push(request.frame().page())
  })
  const first = await context.newPage()
  await first.goto(`/chat?hub_token=${await hubToken('mueller')}`)
  await live(first)
  const second = await context.newPage()
  await second.goto(roomPath(room))
  await live(second)
  expect(new Set(streams)).toEqual(new Set([first]))
  await bert.send(room, 'durch den ersten Tab')
  await expect(second.getByRole('log').getByText('durch den ersten Tab')).toHaveCount(1)
  await first.close()
  await expect.poll(() => streams.at(-1) === second).toBe(true)
  await bert.send(room, 'durch den zweiten Tab')
  await expect(second.getByRole('log').getByText('durch den zweiten Tab')).toHaveCount(1)
  await context.close()
})
