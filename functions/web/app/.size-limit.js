// The budgets of the first load, which is all that the page itself names and the worker with the stream, and of the
// administration.
import { readdirSync, readFileSync } from 'node:fs'

const built = '../dist/app'
const page = readFileSync(new URL(`${built}/index.html`, import.meta.url), 'utf8')
const named = (end) => [...page.matchAll(/(?:src|href)="(?:\.\/)?(assets\/[^"]+)"/g)].map(([, path]) => path).filter((path) => path.endsWith(end))
const workers = readdirSync(new URL(`${built}/assets/`, import.meta.url)).filter((name) => /^worker-.*\.js$/.test(name)).map((name) => `assets/${name}`)
const below = (paths) => paths.map((path) => `${built}/${path}`)

export default [
  { name: 'scripts of the first load', path: below([...named('.js'), ...workers]), limit: '170 kB', gzip: true },
  { name: 'styles of the first load', path: below(named('.css')), limit: '20 kB', gzip: true },
  { name: 'scripts of the administration', path: `${built}/assets/admin-*.js`, limit: '90 kB', gzip: true },
]
