// Mentions: the word after an @ before the cursor, matching members, and the text with the chosen one.
import type { Member } from '@/api/types'
import type { Mention } from '@/platform/records'
import { names, searchable } from '@/stores/sections'

/** The most members in the list. */
const OFFERED = 8
const BEGUN = /(?:^|[\s(])@([\p{L}\p{N}._-]*(?: [\p{L}\p{N}._-]*)?)$/u

/** Returns the word after the @ before the cursor; `null` if there is none. */
export function begunMention(text: string, cursor: number): string | null {
  return BEGUN.exec(text.slice(0, cursor))?.[1] ?? null
}

export interface Offer extends Mention {
  readonly name: string
}

/** Returns the matching members, those whose name begins with the word first. `all` means all members. */
export function offersFor(begun: string, members: readonly Member[], own: string, all: string): Offer[] {
  const wanted = searchable(begun)
  const people = members.filter(({ hub_user_id }) => hub_user_id !== own).map(({ hub_user_id, display_name }) => ({ id: hub_user_id, name: display_name }))
  const found = people
    .filter(({ id, name }) => searchable(name).split(' ').some((word) => word.startsWith(wanted)) || searchable(name).startsWith(wanted) || searchable(id).startsWith(wanted))
    .toSorted((a, b) => names.compare(a.name, b.name))
    .map(({ id, name }) => ({ id, name, text: `@${name}` }))
  const everybody = searchable(all).startsWith(wanted) ? [{ id: null, name: all, text: `@${all}` }] : []
  return [...found.slice(0, OFFERED), ...everybody]
}

/** Returns the text with the mention in place of the word, and the cursor behind it. */
export function withMention(text: string, cursor: number, begun: string, mention: Mention): { text: string; cursor: number } {
  const start = cursor - begun.length - 1
  const head = `${text.slice(0, start)}${mention.text} `
  return { text: head + text.slice(cursor).replace(/^ /, ''), cursor: head.length }
}
