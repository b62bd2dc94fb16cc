// The users who are typing, by room. Each event lists all of them, and a list expires after its time.
import { defineStore } from 'pinia'
import { shallowReactive } from 'vue'
import type { TypingEvent } from '@/api/types'

export interface Typist {
  id: string
  name: string
}

export const useTyping = defineStore('typing', () => {
  const byRoom = shallowReactive(new Map<string, readonly Typist[]>())
  const timers = new Map<string, ReturnType<typeof setTimeout>>()

  function set(room: string, typists: readonly Typist[]): void {
    clearTimeout(timers.get(room))
    timers.delete(room)
    if (typists.length === 0) byRoom.delete(room)
    else byRoom.set(room, typists)
  }

  function apply(event: TypingEvent, own: string): void {
    const typists = event.users.map((user) => ({ id: user.matrix_user_id, name: user.display_name }))
    set(event.room_id, typists.filter(({ id }) => id !== own))
    timers.set(event.room_id, setTimeout(() => set(event.room_id, []), event.timeout_ms))
  }

  /** Removes the typing mark of a person who has sent a message. */
  function stop(room: string, sender: string): void {
    const typists = byRoom.get(room)
    if (typists !== undefined) set(room, typists.filter(({ id }) => id !== sender))
  }

  /** At the beginning of a stream, nobody is typing. */
  function clear(): void {
    for (const room of byRoom.keys()) set(room, [])
  }

  return { byRoom, apply, stop, clear }
})
