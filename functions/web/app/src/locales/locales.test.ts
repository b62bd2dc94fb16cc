// The catalogues: the same keys and placeholders in both languages, and no unused ones.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'

/** Keys that are made of a prefix and a value. */
const PREFIXES = ['alarm.state.', 'alarm.priority.', 'alarm.acked.', 'alarm.cleared.', 'alarm.act.', 'alarm.cause.', 'alarm.by.', 'alarm.outcome.', 'alarm.reason.', 'alarm.announce.', 'adminPage.', 'error.', 'session.title.', 'session.reason.', 'chat.section.', 'chat.type.', 'outbox.', 'role.', 'settings.', 'notify.reason.', 'emoji.group.']
const ADMIN_PREFIXES = [
  'about.list.', 'account.', 'act.', 'action.', 'advice.', 'auditField.', 'log.', 'dashboard.', 'priority.', 'reason.', 'status.', 'target.', 'userField.', 'users.', 'value.',
].map((prefix) => `admin.${prefix}`)

type Tree = { [key: string]: string | Tree }
// The build makes functions of the catalogues: they are read as they are.
const file = (name: string): Tree => JSON.parse(readFileSync(join(import.meta.dirname, `${name}.json`), 'utf8'))
const read = (language: string): Tree => ({ ...file(language), admin: file(`admin.${language}`) })
const [de, en] = [read('de'), read('en')]
const flat = (tree: Tree, prefix = ''): [string, string][] =>
  Object.entries(tree).flatMap(([key, value]) => (typeof value === 'string' ? [[prefix + key, value]] : flat(value, `${prefix}${key}.`)) as [string, string][])
const placeholders = (text: string) => [...new Set(text.match(/\{\w+\}/g))].toSorted()

it('both catalogues have the same keys and placeholders', () => {
  const [german, english] = [new Map(flat(de)), new Map(flat(en))]
  expect([...english.keys()].toSorted()).toEqual([...german.keys()].toSorted())
  for (const [key, text] of german) expect([key, placeholders(english.get(key) ?? '')]).toEqual([key, placeholders(text)])
})

it('each key is used', () => {
  const root = join(import.meta.dirname, '..')
  const files = readdirSync(root, { recursive: true }).map(String).filter((name) => /\.(vue|ts)$/.test(name) && !name.includes('.test.') && !name.includes('schema'))
  const words = new Set(files.flatMap((name) => readFileSync(join(root, name), 'utf8').match(/'[\w.-]+'/g) ?? []))
  const unused = flat(de).map(([key]) => key).filter((key) => ![...PREFIXES, ...ADMIN_PREFIXES].some((prefix) => key.startsWith(prefix)) && !words.has(`'${key}'`))
  expect(unused).toEqual([])
})
