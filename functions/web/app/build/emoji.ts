// The emoji for reactions, in the form in which the picker shows and searches them: a module for each language.
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import type { Plugin } from 'vite'

const PREFIX = 'virtual:emoji/'
/** Skin tones and hair, which are not emoji by themselves. */
const COMPONENTS = 2

interface Emoji {
  emoji: string
  annotation: string
  tags?: string[]
  group: number
  order: number
}

/** Returns the plugin. A module exports `[emoji, name, further words, group]` for each emoji, in their order. */
export function emoji(): Plugin {
  const { resolve } = createRequire(import.meta.url)
  return {
    name: 'emoji',
    resolveId: (id) => (id.startsWith(PREFIX) ? `\0${id}` : undefined),
    async load(id) {
      if (!id.startsWith(`\0${PREFIX}`)) return undefined
      const language = id.slice(PREFIX.length + 1)
      const all = JSON.parse(await readFile(resolve(`emoji-picker-element-data/${language}/cldr/data.json`), 'utf8')) as Emoji[]
      const sorted = all.filter(({ group }) => group !== COMPONENTS).toSorted((a, b) => a.group - b.group || a.order - b.order)
      // Matrix clients react without the variation selector, if one character needs none.
      const rows = sorted.map((one) => [one.emoji.replace(/^(\p{Emoji_Presentation})\uFE0F$/u, '$1'), one.annotation, (one.tags ?? []).join(' '), one.group])
      return `export default JSON.parse(${JSON.stringify(JSON.stringify(rows))})`
    },
  }
}
