// The state of the room switcher (Ctrl+K): the shell shows it, and the room list opens it.
import { useEventListener } from '@vueuse/core'
import { readonly, ref } from 'vue'
import { useRouter } from 'vue-router'
import { searchPath } from '@/router/paths'

const isOpen = ref(false)

export const isSwitcherOpen = readonly(isOpen)
export const openSwitcher = (): void => void (isOpen.value = true)
export const closeSwitcher = (): void => void (isOpen.value = false)

/** Opens it by Ctrl+K, and the search by Ctrl+Shift+F. */
export function useSwitcherKeys(): void {
  const router = useRouter()
  useEventListener('keydown', (event: KeyboardEvent) => {
    if (!(event.ctrlKey || event.metaKey) || event.altKey) return
    const key = event.key.toLowerCase()
    if (key === 'k' && !event.shiftKey) openSwitcher()
    else if (key === 'f' && event.shiftKey) void router.push(searchPath(''))
    else return
    event.preventDefault()
  })
}
