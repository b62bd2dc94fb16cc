// The messages that were deleted while this page is open: no part of the page shows their text any more.
import { defineStore } from 'pinia'
import { shallowReactive } from 'vue'

export const useRedactions = defineStore('redactions', () => {
  const ids = shallowReactive(new Set<string>())

  return { add: (id: string) => void ids.add(id), has: (id: string) => ids.has(id) }
})
