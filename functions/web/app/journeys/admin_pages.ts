// Every page of the administration, with content: for screenshots and accessibility checks.
import { expect, type Locator, type Page } from '@playwright/test'
import { content, type Content } from './pages'
import { notify, Person } from './service'

export interface AdminContent extends Content {
  /** A notification that waits for a first sign-in. */
  held: number
}

let made: Promise<AdminContent> | null = null

/** Fills the service once. */
export function adminContent(): Promise<AdminContent> {
  made ??= make()
  return made
}

async function make(): Promise<AdminContent> {
  const rest = await content()
  const admin = await Person.of('chef')
  await Person.of('besuch')
  const { id: held } = await notify({ source_app: 'personal-app', title: 'Willkommen im Werk', body: 'Bitte holen Sie Ihren Ausweis ab.', target_type: 'dm', target_user: 'neumann' })
  const { id: cancelled } = await notify({ source_app: 'lager-app', title: 'Palette 7 fehlt', target_type: 'dm', target_user: 'neumann', priority: 'urgent' })
  await admin.post(`/api/v1/admin/notifications/${cancelled}/cancel`)
  await notify({ source_app: 'lager-app', title: 'Inventur abgeschlossen', target_type: 'service_room' })
  await admin.post('/api/v1/admin/test-notification', { target_type: 'dm', target_user: 'mueller', text: 'Zustellung' })
  await admin.post('/api/v1/admin/users/yilmaz/external-access', { enabled: true })
  await admin.patch('/api/v1/admin/users/yilmaz', { display_name: 'Deniz Yılmaz (Halle 3)' })
  return { ...rest, held }
}

type Visit = (page: Page, content: AdminContent) => Promise<void>
const rows = (page: Page) => page.getByRole('grid').getByRole('row').nth(1)

/** The pages, each with the steps that open it. */
export const ADMIN_PAGES: Record<string, Visit> = {
  'admin-dashboard': async (page) => {
    await to(page, '/admin', () => page.locator('canvas').first())
  },
  'admin-log': (page) => to(page, '/admin/meldungen', () => rows(page)),
  'admin-notification': (page, { held }) => to(page, `/admin/meldungen/${held}`, () => page.getByRole('complementary').getByRole('listitem').first()),
  'admin-users': (page) => to(page, '/admin/benutzer', () => rows(page)),
  'admin-user': (page) => to(page, '/admin/benutzer/weber', () => page.getByRole('complementary').getByText('@weber', { exact: false })),
  'admin-held': (page) => to(page, '/admin/benutzer?ansicht=wartend', () => rows(page)),
  'admin-rooms': (page) => to(page, '/admin/raeume', () => rows(page)),
  'admin-room': (page, { general }) => to(page, `/admin/raeume/${encodeURIComponent(general)}`, () => page.getByRole('complementary').getByText('Max Müller')),
  'admin-audit': (page) => to(page, '/admin/audit', () => rows(page)),
  'admin-connect': (page) => to(page, '/admin/anbindung', () => page.getByText(/201 · id/).first()),
  'admin-about': (page) => to(page, '/admin/info', () => rows(page)),
  'admin-test': async (page) => {
    await to(page, '/admin/meldungen', () => rows(page))
    await page.getByRole('button', { name: /^(Probemeldung|Test notification)$/ }).click()
    await expect(page.getByRole('dialog').getByRole('listitem').first()).toBeVisible()
  },
  'admin-close': async (page, { machine }) => {
    await to(page, `/admin/raeume/${encodeURIComponent(machine)}`, () => page.getByRole('complementary'))
    await page.getByRole('complementary').getByRole('button', { name: /^(Raum schließen|Close room)$/ }).click()
    await expect(page.getByRole('dialog')).toBeVisible()
  },
  'admin-selected': async (page) => {
    await to(page, '/admin/benutzer', () => rows(page))
    await page.getByRole('checkbox', { name: /Alle geladenen|Select all/ }).check()
    await page.getByRole('button', { name: /^(Überall abmelden|Log out everywhere)$/ }).click()
    await expect(page.getByRole('dialog').getByRole('textbox')).toBeVisible()
  },
  'admin-empty': (page) => to(page, '/admin/meldungen?text=gibt-es-nicht', () => page.getByRole('heading', { level: 2 }).first()),
}

async function to(page: Page, path: string, seen: () => Locator): Promise<void> {
  await page.goto(path)
  await expect(seen()).toBeVisible()
}
