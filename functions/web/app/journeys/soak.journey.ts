// 24 hours in fast time: the page does not grow over a day's events, cuts and room switches. A stream of this
// journey sends the events, since the real service does not have a day's events in minutes.
import { expect, type Page, test } from '@playwright/test'
import { fastService, messageEvent, openOn } from './fast_service'
import { Person, roomPath, run } from './service'

/** The short form runs one hour. */
const HOURS = process.env.LONG ? 24 : 1
const EVENTS = HOURS * 3_600
const CUTS = HOURS
const SWITCHES = Math.ceil((HOURS * 500) / 24)
const TENTHS = 10
/** Events of a second of the journey. */
const PACE = 400

/** Returns the heap in bytes after a collection, and the numbers of nodes and listeners. */
async function measure(page: Page): Promise<{ heap: number; nodes: number; listeners: number }> {
  const session = await page.context().newCDPSession(page)
  await session.send('Performance.enable')
  for (let pass = 0; pass < 3; pass += 1) await session.send('HeapProfiler.collectGarbage')
  const { metrics } = await session.send('Performance.getMetrics')
  await session.detach()
  const of = (name: string) => metrics.find((metric) => metric.name === name)?.value ?? 0
  return { heap: of('JSHeapUsedSize'), nodes: of('Nodes'), listeners: of('JSEventListeners') }
}

test('a day of events, cuts and room switches leaves the page as small as it was', async ({ browser }) => {
  test.setTimeout(HOURS * 60_000 + 240_000)
  const bert = await Person.of('weber')
  const rooms: string[] = []
  for (const name of ['A', 'B', 'C']) rooms.push(await bert.room(`Dauer ${name} ${run}`, ['mueller']))
  const stream = await fastService()
  const page = await openOn(browser, stream, roomPath(rooms[0] ?? ''))
  const measures: { heap: number; nodes: number; listeners: number }[] = []
  let switched = 0
  for (let id = 1; id <= EVENTS; id += 1) {
    const room = rooms[id % rooms.length] ?? ''
    stream.send(id, messageEvent(room, id, `Ereignis ${id} ${'x'.repeat(id % 200)}`))
    if (id % Math.floor(EVENTS / CUTS) === 0 && id < EVENTS) {
      stream.cut()
      await expect(page.getByText('Live', { exact: true })).toBeVisible({ timeout: 60_000 })
    }
    if (id % PACE === 0) await page.waitForTimeout(1_000)
    if (id % Math.floor(EVENTS / SWITCHES) === 0) {
      switched += 1
      await page.getByRole('link', { name: new RegExp(`Dauer ${'ABC'[switched % 3] ?? 'A'} ${run}`) }).click()
    }
    if (id % Math.floor(EVENTS / TENTHS) === 0) measures.push(await measure(page))
  }
  const [second, end] = [measures[1], measures.at(-1)]
  if (second === undefined || end === undefined) throw new Error('nothing was measured')
  process.stdout.write(`${measures.map(({ heap, nodes, listeners }) => `${(heap / 1e6).toFixed(1)} MB, ${nodes} nodes, ${listeners} listeners`).join('\n')}\n`)
  // A timeline holds 2 000 rows: in an hour it is still filling up.
  const growth = process.env.LONG ? { heap: 5e6, share: 1.01 } : { heap: 15e6, share: 1.25 }
  expect(end.heap - second.heap).toBeLessThan(growth.heap)
  expect(end.nodes).toBeLessThan(second.nodes * growth.share + 200)
  expect(end.listeners).toBeLessThan(second.listeners * growth.share + 50)
  stream.close()
  await page.context().close()
})
