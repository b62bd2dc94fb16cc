// The state of the list of shortcuts (?): the shell shows it, and the settings open it.
import { useEventListener } from '@vueuse/core'
import { readonly, ref } from 'vue'

const isOpen = ref(false)

export const areShortcutsOpen = readonly(isOpen)
export const openShortcuts = (): void => void (isOpen.value = true)
export const closeShortcuts = (): void => void (isOpen.value = false)

/** Returns whether a key goes into a field. */
const isTyped = ({ target }: Event): boolean =>
  target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))

/** Opens the list by `?`, unless the focus is in a field. */
export function useShortcutKey(): void {
  useEventListener('keydown', (event: KeyboardEvent) => {
    if (event.key !== '?' || event.ctrlKey || event.metaKey || event.altKey || isTyped(event)) return
    event.preventDefault()
    openShortcuts()
  })
}
