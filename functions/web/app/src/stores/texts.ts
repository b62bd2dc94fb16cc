// The request fields of a text: mentions and format.
import type { Text } from '@/api/calls'
import type { Draft, Mention } from '@/platform/records'

/** The most characters of a message, and the most bytes beside its other fields. */
export const LENGTH_MAX = 20_000
export const BYTES_MAX = 59_000

/** Returns the number of characters of a text, and that of its bytes as the service counts them. */
export function sizeOf(text: string): { characters: number; bytes: number } {
  return { characters: [...text].length, bytes: new TextEncoder().encode(JSON.stringify(text)).length }
}

/** Marks that do not occur by chance: strong text, code, links, headings, quotes and lists. */
const MARKED = /\*\*\S|__\S|~~\S|`|\[[^\]\n]+\]\([^)\s]+\)|^(#{1,6}|[-*+]|\d{1,3}[.)]|>) /m

/** Returns a text with its mentions. A text with marks is Markdown; `2*3*4` is not. */
export function textOf(body: string, mentions?: Text['mentions']): Text {
  return { body, ...(MARKED.test(body) ? { format: 'markdown' } : {}), ...(mentions === undefined ? {} : { mentions }) }
}

/** Returns the users whom a text mentions: the chosen ones whose mention still stands in it. */
export function mentionsIn(text: string, chosen: Draft['mentions']): Text['mentions'] {
  const left = chosen.filter((mention) => text.includes(mention.text))
  if (left.length === 0) return undefined
  const ids = left.flatMap(({ id }: Mention) => id ?? [])
  return { hub_user_ids: [...new Set(ids)].slice(0, 50), room: left.some(({ id }) => id === null) }
}

/** Returns a text in one line without the marks of Markdown, for a preview. */
export function previewOf(text: string): string {
  if (!MARKED.test(text)) return text
  return text
    .replace(/^ *(?:```.*|#{1,6} |[-*+] |> ?)/gm, '')
    .replace(/\[([^\]\n]+)\]\([^)\s]+\)/g, '$1')
    .replace(/(\*\*|__|~~|`)(\S(?:[^\n]*?\S)?)\1/g, '$2')
    .replace(/\s+/g, ' ')
    .trim()
}
