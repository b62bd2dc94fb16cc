// The lists of the administration with as many rows as a large installation has after years: usable at once, and no
// task of the page is long while the user scrolls.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test } from '@playwright/test'
import { expectAtMost, tasksOf, watchTasks } from './figures'
import { openWith, tokenFor } from './service'

/** A tenant of its own, so that the rows do not affect other journeys. */
const TENANT = 77
const [USERS, ROOMS, LOG] = [100_000, 10_000, 1_000_000]
/** Steps of scrolling, and the pixels of each. */
const [STEPS, STEP] = [120, 900]
/** The most rows that the page holds as elements at once. */
const ELEMENTS = 120

const SEED = `
  insert into users (hub_user_id, tenant_id, localpart, hub_name, display_name, role, search_hub_name, search_name, search_id, account_due, account_state)
  select 'viele-' || n, ${TENANT}, 'viele-' || n, name, name, 'user', lower(name), lower(name), 'viele-' || n, null, 'ours'
  from (select n, 'Person ' || lpad(n::text, 6, '0') as name from generate_series(1, ${USERS}) n) person;
  insert into rooms (tenant_id, kind, key, matrix_room_id, name, entity_type, entity_id, message_count, last_message_ts)
  select ${TENANT}, 'entity', 'machine/' || n, '!viele' || n || ':hub.local', 'Maschine ' || n, 'machine', n, n % 1000, now() - n * interval '1 minute'
  from generate_series(1, ${ROOMS}) n;
  insert into room_members (tenant_id, hub_user_id, matrix_room_id)
  select ${TENANT}, 'viele-' || (n * 7 + m) % ${USERS} + 1, '!viele' || n || ':hub.local' from generate_series(1, ${ROOMS}) n, generate_series(1, 5) m;
  insert into notifications (tenant_id, token, source_app, event_type, title, body, target_type, entity_type, entity_id, priority, queue, status, created_at, sent_at)
  select ${TENANT}, 'legacy', 'app-' || n % 12, 'machine.alarm', 'Meldung ' || n, 'Spindel ' || n % 97, 'entity_room', 'machine', to_jsonb(n % ${ROOMS} + 1), 'normal',
         'viele ' || n % 1000, case when n % 500 = 0 then 'failed' else 'sent' end, at, at
  from (select n, now() - (${LOG} - n) * interval '2 seconds' as at from generate_series(1, ${LOG}) n) log;
  insert into audit_log (at, tenant_id, actor, action, subject, before, after, address)
  select now() - (${LOG} - n) * interval '1 minute', ${TENANT}, 'viele-' || n % 5 + 1, 'user.rename', 'viele-' || n % ${USERS} + 1,
         jsonb_build_object('display_name', 'Person ' || n), jsonb_build_object('display_name', 'Person (Halle ' || n % 7 || ')'), '192.0.2.7'
  from generate_series(1, ${LOG}) n;
  analyze;`

const LISTS = [
  { name: 'Benutzer', path: '/admin/benutzer', first: /Person 000001/ },
  { name: 'Räume', path: '/admin/raeume', first: /Maschine/ },
  { name: 'Meldungsprotokoll', path: '/admin/meldungen', first: `Meldung ${LOG}` },
  { name: 'Audit', path: '/admin/audit', first: /Name geändert/ },
] as const

test(`lists of ${USERS} users, ${ROOMS} rooms and ${LOG} entries are used like short ones`, async ({ browser }) => {
  test.setTimeout(1_800_000)
  const begun = performance.now()
  await promisify(execFile)('psql', ['--quiet', '--no-psqlrc', '--set=ON_ERROR_STOP=1', `--dbname=${process.env.DATABASE_URL ?? ''}`, `--command=${SEED}`], { timeout: 1_500_000 })
  process.stdout.write(`stored the rows in ${((performance.now() - begun) / 1000).toFixed(0)} s\n`)
  const page = await openWith(browser, tokenFor('viele-1', 'admin', TENANT, 'Person 000001'), '/admin/info')
  await expect(page.getByRole('grid').getByRole('row').nth(1)).toBeVisible()
  await watchTasks(page)
  for (const { name, first } of LISTS) {
    await page.waitForTimeout(500)
    await tasksOf(page)
    // From the press to the frame after which the first row stands in its list.
    const link = page.getByRole('navigation', { name: 'Verwaltung' }).getByRole('link', { name, exact: true })
    const took = await link.evaluate(
      (element: HTMLElement, wanted) =>
        new Promise<number>((resolve) => {
          const start = performance.now()
          const expression = new RegExp(wanted)
          const look = () => {
            const isThere = [...document.querySelectorAll('[role=grid] [data-index]')].some((row) => expression.test(row.textContent ?? ''))
            requestAnimationFrame(isThere ? () => resolve(performance.now() - start) : look)
          }
          element.click()
          requestAnimationFrame(look)
        }),
      first instanceof RegExp ? first.source : first,
    )
    expectAtMost(`${name}, first row`, took, 300)
    await tasksOf(page)
    const grid = page.getByRole('grid', { name })
    await grid.hover()
    let most = 0
    for (let step = 0; step < STEPS; step += 1) {
      await page.mouse.wheel(0, STEP)
      await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(resolve)))
      most = Math.max(most, await grid.locator('[data-index]').count())
    }
    const reached = await grid.locator('[data-index]').evaluateAll((rows) => Math.max(...rows.map((row) => Number(row.getAttribute('data-index')))))
    const tasks = await tasksOf(page)
    process.stdout.write(`${name}: scrolled to row ${reached}, ${most} rows as elements, ${tasks.length} tasks over 50 ms\n`)
    expectAtMost(`${name}, longest task while scrolling`, Math.max(0, ...tasks), 50)
    expect.soft(most).toBeLessThan(ELEMENTS)
    expect.soft(reached).toBeGreaterThan(200)
  }
  await page.context().close()
})
