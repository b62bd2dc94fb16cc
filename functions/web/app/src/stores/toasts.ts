// Short messages about events outside of the visible room.
import { defineStore } from 'pinia'
import { shallowRef } from 'vue'

export interface Toast {
  id: number
  title: string
  text: string
  /** The path that it opens; `null` if it opens none. */
  to: string | null
  tone: 'neutral' | 'danger'
}

/** The most toasts that are shown at once. */
const SHOWN = 3

export const useToasts = defineStore('toasts', () => {
  const all = shallowRef<readonly Toast[]>([])
  let last = 0

  function show(toast: Omit<Toast, 'id'>): void {
    last += 1
    all.value = [...all.value, { ...toast, id: last }].slice(-SHOWN)
  }

  function close(id: number): void {
    all.value = all.value.filter((toast) => toast.id !== id)
  }

  return { all, show, close }
})
