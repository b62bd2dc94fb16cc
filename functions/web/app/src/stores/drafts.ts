// Drafts by room: text and files that are not sent yet. They survive a reload and the end of the browser.
import { useDebounceFn } from '@vueuse/core'
import { defineStore } from 'pinia'
import { shallowReactive } from 'vue'
import type { UserDatabase } from '@/platform/database'
import { type Draft, NO_DRAFT } from '@/platform/records'
import { randomId } from '@/platform/ids'

/** The pause after the last key before a text is stored, in milliseconds. */
const PAUSE = 300

const isEmpty = ({ text, files, reply, edit }: Draft): boolean => text === '' && files.length === 0 && reply === null && edit === null

export const useDrafts = defineStore('drafts', () => {
  const all = shallowReactive(new Map<string, Draft>())
  const changed = new Set<string>()
  const store = useDebounceFn(flush, PAUSE)
  let database: UserDatabase | null = null

  const get = (room: string): Draft => all.get(room) ?? NO_DRAFT

  async function start(stored: UserDatabase): Promise<void> {
    database = stored
    for (const { room, ...draft } of await stored.all('drafts')) {
      if (all.has(room)) continue
      all.set(room, { ...NO_DRAFT, ...draft, reply: draft.reply === null ? null : { eventId: draft.reply.eventId } })
      // Earlier versions stored the text of the message that a draft replies to.
      if (draft.reply !== null && 'text' in draft.reply) changed.add(room)
    }
    if (changed.size > 0) void store()
  }

  /** Stores changed drafts at once. */
  async function flush(): Promise<void> {
    const rooms = [...changed]
    changed.clear()
    await Promise.all(rooms.map((room) => keep(room)))
  }

  async function keep(room: string): Promise<void> {
    const draft = get(room)
    await (isEmpty(draft) ? database?.remove('drafts', room) : database?.put('drafts', { room, ...draft }))
  }

  function change(room: string, changes: Partial<Draft>): void {
    const next = { ...get(room), ...changes }
    if (isEmpty(next)) all.delete(room)
    else all.set(room, next)
    changed.add(room)
    void store()
  }

  function addFiles(room: string, files: readonly File[]): void {
    change(room, { files: [...get(room).files, ...files.map((file) => ({ id: randomId(), file }))] })
  }

  function removeFile(room: string, id: string): void {
    change(room, { files: get(room).files.filter((one) => one.id !== id) })
  }

  /** Returns the draft, and empties it: it is in the outbox from now on. An edit stays. */
  function take(room: string): Draft {
    const draft = get(room)
    change(room, { ...NO_DRAFT, edit: draft.edit })
    return draft
  }

  /** Ends the edit of a message that was deleted: it holds its text. */
  function redacted(room: string, eventId: string): void {
    if (get(room).edit?.eventId === eventId) change(room, { edit: null })
  }

  return { all, get, start, change, addFiles, removeFile, take, redacted, flush }
})
