// A service with content, and every page of the application: for screenshots and accessibility checks.
import { expect, type Page } from '@playwright/test'
import { alarm, notify, Person, roomPath } from './service'

export interface Content {
  general: string
  machine: string
  direct: string
  project: string
}

let made: Promise<Content> | null = null

/** Fills the service once, as a shift does. */
export function content(): Promise<Content> {
  made ??= make()
  return made
}

async function make(): Promise<Content> {
  const [max, anna, bert, deniz] = await Promise.all(['mueller', 'schmidt', 'weber', 'yilmaz'].map((user) => Person.of(user)))
  if (!max || !anna || !bert || !deniz) throw new Error('no people')
  const [general = ''] = await Promise.all([max, anna, bert, deniz].map((person) => person.general()))
  await notify({ title: 'Schicht gestartet', body: 'Frühschicht hat begonnen. Schichtleitung: Bernd Weber.' })
  await bert.send(general, 'Guten Morgen zusammen! Heute ist um 10 Uhr die Begehung in Halle 3.')
  await bert.send(general, 'Bitte Schutzbrillen tragen: https://intranet.example/schutz')
  await anna.send(general, 'Alles klar 👍')
  const project = await max.room('Projekt Alpha', ['schmidt', 'yilmaz'])
  await deniz.send(project, 'Die Zeichnung für den Halter ist fertig.')
  await anna.send(project, 'Super, dann können wir morgen fräsen.')
  const stop = { target_type: 'entity_room', entity_type: 'machine', entity_id: 42 }
  const { matrix_room_id: machine } = await notify({ title: 'CNC-01 gestoppt', body: 'Fehlercode E-401: Kühlmittel niedrig', priority: 'urgent', ...stop })
  await max.post(`/api/v1/rooms/${encodeURIComponent(machine)}/join`)
  await notify({ title: 'CNC-01 läuft wieder', ...stop })
  await max.send(machine, 'Kühlmittel aufgefüllt, Spindel geprüft.')
  await faults(max)
  const { matrix_room_id: direct } = await max.post<{ matrix_room_id: string }>('/api/v1/rooms/dm/schmidt')
  await max.send(direct, 'Läuft die Presse wieder?')
  await anna.send(direct, 'Ja, seit zehn Uhr. Der Sensor war verschmutzt, ich habe ihn gereinigt und neu eingelernt.')
  await anna.send(direct, 'Das Protokoll lege ich dir in den Ordner.')
  const plan = await deniz.send(project, 'Reihenfolge für morgen:\n\n1. **Halter** fräsen\n2. Bohrungen `M8` entgraten\n\n> Toleranz ±0,05 mm', { format: 'markdown' })
  await anna.send(project, '@Max Müller, passt das für dich?', { reply_to: plan.event_id, mentions: { hub_user_ids: ['mueller'], room: false } })
  for (const [person, key] of [[anna, '👍'], [max, '👍'], [anna, '✅']] as const) await person.react(project, plan.event_id, key)
  return { general, machine, direct, project }
}

/** Reports faults in each of the states that a card has. */
async function faults(person: Person): Promise<void> {
  const press = { target_type: 'entity_room', entity_type: 'machine', entity_id: 7 }
  const oil = { dedup_key: 'press-7:oil', title: 'Öldruck zu niedrig', body: '2,1 bar, Sollwert 3,0 bar', priority: 'high', ...press }
  for (let count = 1; count <= 12; count += 1) await alarm(oil)
  await alarm({ dedup_key: 'press-7:filter', title: 'Filter verschmutzt', priority: 'low', ...press })
  await notify({ dedup_key: 'press-7:tool', event_type: 'alarm', title: 'Werkzeugwechsel fällig', ...press })
  await alarm({ dedup_key: 'press-7:coolant', title: 'Kühlmittel niedrig', ...press })
  await notify({ dedup_key: 'press-7:coolant', event_action: 'resolve' })
  for (const [key, act] of [['air', 'ack'], ['guard', 'resolve']] as const) {
    const { alarm: { id } } = await alarm({ dedup_key: `press-7:${key}`, title: key === 'air' ? 'Druckluft ausgefallen' : 'Schutztür offen', ...press })
    await person.post(`/api/v1/alarms/${id}/${act}`, { comment: 'Ich schaue nach' })
  }
  await alarm({ dedup_key: 'press-7:light', title: 'Lichtgitter gestört', ...press })
  await notify({ dedup_key: 'press-7:light', event_action: 'cancel' })
}

/** The pages, each with the steps that open it. */
export const PAGES: Record<string, (page: Page, content: Content) => Promise<void>> = {
  chats: (page) => to(page, '/chat', () => page.getByRole('link', { name: /^Anna Schmidt/ })),
  room: (page, { general }) => to(page, roomPath(general), () => page.getByRole('log').getByText('Alles klar 👍').last()),
  direct: (page, { direct }) => to(page, roomPath(direct), () => page.getByRole('log').getByText('Das Protokoll lege ich dir').last()),
  project: (page, { project }) => to(page, roomPath(project), () => page.getByRole('log').getByText('passt das für dich?').last()),
  actions: async (page, { project }) => {
    await to(page, roomPath(project), () => page.getByRole('log').getByText('passt das für dich?').last())
    const row = page.getByRole('log').getByRole('article').filter({ hasText: /Super, dann/ })
    await row.hover()
    await row.getByRole('button', { name: /^(Aktionen|Actions)$/ }).click()
    await expect(page.getByRole('menu')).toBeVisible()
  },
  emoji: async (page, { project }) => {
    await PAGES.actions?.(page, { project } as Content)
    await page.getByRole('menuitem', { name: /^(Reagieren|React)$/ }).click()
    await expect(page.getByRole('dialog').getByRole('button', { name: '😀' }).or(page.getByRole('dialog').getByRole('button', { name: /^(grinsendes Gesicht|grinning face)$/ }))).toBeVisible()
  },
  draft: async (page, { direct }) => {
    await to(page, roomPath(direct), () => page.getByRole('log').getByText('Das Protokoll lege ich dir').last())
    await page.locator('input[type=file]').first().setInputFiles([
      { name: 'Prüfprotokoll Presse 2.pdf', mimeType: 'application/pdf', buffer: Buffer.alloc(48_000, 1) },
      { name: 'messung.csv', mimeType: 'text/csv', buffer: Buffer.alloc(1_200, 1) },
    ])
    const row = page.getByRole('log').getByRole('article').filter({ hasText: 'Ja, seit zehn Uhr' }).last()
    await row.hover()
    await row.getByRole('button', { name: /^(Aktionen|Actions)$/ }).click()
    await page.getByRole('menuitem', { name: /^(Antworten|Reply)$/ }).click()
    await expect(page.getByRole('textbox', { name: /(Nachricht an|Message to) Anna Schmidt/ })).toBeFocused()
  },
  machine: async (page, { machine }) => {
    await to(page, roomPath(machine), () => page.getByRole('log').getByText('Spindel geprüft').last())
    await page.getByRole('button', { name: /^(Mitglieder|Members)$/ }).click()
    await expect(page.getByRole('complementary')).toContainText('Max Müller')
  },
  search: async (page) => {
    await to(page, '/suche?q=spindel', () => page.getByRole('searchbox', { name: /^(Text in Nachrichten|Text in messages)$/ }))
    await expect(page.getByRole('link', { name: /Kühlmittel aufgefüllt/ }).first()).toBeVisible()
  },
  inbox: (page) => to(page, '/meldungen', () => page.getByRole('heading', { name: /^(Meldungen|Notifications)$/ })),
  alarms: (page) => to(page, '/meldungen?status=stoerungen', () => page.getByRole('heading', { name: 'Öldruck zu niedrig' })),
  'alarm-journal': async (page) => {
    await PAGES.alarms?.(page, {} as Content)
    await page.getByRole('article').filter({ hasText: 'Öldruck zu niedrig' }).getByRole('button', { name: /^(Verlauf|History)$/ }).click()
    await expect(page.getByRole('complementary').getByRole('listitem').first()).toBeVisible()
  },
  'alarm-comment': async (page) => {
    await PAGES.alarms?.(page, {} as Content)
    await page.getByRole('article').filter({ hasText: 'Öldruck zu niedrig' }).getByRole('button', { name: /^(Kommentar|Comment)$/ }).click()
    await expect(page.getByRole('dialog')).toBeVisible()
  },
  settings: (page) => to(page, '/einstellungen', () => page.getByRole('heading', { name: /^(Einstellungen|Settings)$/ })),
  shortcuts: async (page) => {
    await to(page, '/einstellungen', () => page.getByRole('heading', { name: /^(Einstellungen|Settings)$/ }))
    await page.keyboard.press('?')
    await expect(page.getByRole('dialog')).toBeVisible()
  },
  'new-chat': async (page) => {
    await to(page, '/chat', () => page.getByRole('button', { name: /^(Neuer Chat|New chat)$/ }))
    await page.getByRole('button', { name: /^(Neuer Chat|New chat)$/ }).click()
    await expect(page.getByRole('dialog').getByText('Anna Schmidt')).toBeVisible()
  },
  'new-room': async (page) => {
    await to(page, '/chat', () => page.getByRole('button', { name: /^(Neuer Chat|New chat)$/ }))
    await page.getByRole('button', { name: /^(Neuer Chat|New chat)$/ }).click()
    await page.getByRole('tab', { name: /^(Raum|Room)$/ }).click()
    await page.getByRole('dialog').getByRole('button', { name: /Anna Schmidt/ }).click()
  },
  directory: async (page) => {
    await to(page, '/chat', () => page.getByRole('button', { name: /^(Verzeichnis|Directory)$/ }))
    await page.getByRole('button', { name: /^(Verzeichnis|Directory)$/ }).click()
    await expect(page.getByRole('dialog').getByText('machine 42', { exact: true })).toBeVisible()
  },
  switcher: async (page) => {
    await to(page, '/chat', () => page.getByRole('button', { name: /^(Neuer Chat|New chat)$/ }))
    await page.keyboard.press('Control+k')
    await expect(page.getByRole('option').first()).toBeVisible()
  },
}

async function to(page: Page, path: string, seen: () => ReturnType<Page['getByRole']>): Promise<void> {
  await page.goto(path)
  await expect(seen()).toBeVisible()
}
