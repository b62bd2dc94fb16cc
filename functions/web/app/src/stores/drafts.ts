// The text that was typed and not sent, by room. It survives a reload and the end of the browser.
import { useDebounceFn } from '@vueuse/core'
import { defineStore } from 'pinia'
import { shallowReactive } from 'vue'
import type { UserDatabase } from '@/platform/database'

export const useDrafts = defineStore('drafts', () => {
  const texts = shallowReactive(new Map<string, string>())
  let database: UserDatabase | null = null

  async function start(stored: UserDatabase): Promise<void> {
    database = stored
    for (const { room, text } of await stored.all('drafts')) if (!texts.has(room)) texts.set(room, text)
  }

  const changed = new Set<string>()
  const store = useDebounceFn(flush, 300)

  /** Stores what has changed, at once. */
  async function flush(): Promise<void> {
    const rooms = [...changed]
    changed.clear()
    await Promise.all(rooms.map((room) => keep(room)))
  }

  async function keep(room: string): Promise<void> {
    const text = texts.get(room) ?? ''
    await (text === '' ? database?.remove('drafts', room) : database?.put('drafts', { room, text }))
  }

  function set(room: string, text: string): void {
    if (text === '') texts.delete(room)
    else texts.set(room, text)
    changed.add(room)
    void store()
  }

  return { texts, start, set, flush }
})
