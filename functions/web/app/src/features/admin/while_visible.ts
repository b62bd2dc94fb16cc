// Repeats an act while the page is visible.
import { useDocumentVisibility, useIntervalFn } from '@vueuse/core'
import { watch } from 'vue'

export function useWhileVisible(pause: number, act: () => unknown): void {
  const visibility = useDocumentVisibility()
  useIntervalFn(() => visibility.value === 'visible' && void act(), pause)
  watch(visibility, (now) => now === 'visible' && void act())
}
