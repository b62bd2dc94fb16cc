// The sections of the room list.
import type { Room } from '@/api/types'

export const SECTIONS = ['direct', 'rooms', 'machines'] as const
export type Section = (typeof SECTIONS)[number]

/** Returns the section of a room. */
export function sectionOf(room: Room): Section {
  if (room.room_type === 'dm') return 'direct'
  return room.room_type === 'entity' || room.room_type === 'service' ? 'machines' : 'rooms'
}

/** Orders rooms by their last message, newest first; those without one come last, by name. */
export function compareActivity(a: Room, b: Room): number {
  const [first, second] = [a.last_message_ts ?? '', b.last_message_ts ?? '']
  return first === second ? names.compare(a.display_name, b.display_name) : first < second ? 1 : -1
}

/** The comparison of names for order and search: regardless of case and accents, numbers by value. */
export const names = new Intl.Collator('de', { sensitivity: 'base', numeric: true })

const MARKS = /\p{M}/gu

/** Returns a text in the form in which it is searched. */
export const searchable = (text: string): string => text.normalize('NFD').replace(MARKS, '').toLocaleLowerCase('de').replaceAll('ß', 'ss')
