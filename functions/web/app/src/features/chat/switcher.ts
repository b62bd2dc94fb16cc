// Whether the room switcher (Ctrl+K) is open: the shell has it, and the room list opens it.
import { readonly, ref } from 'vue'

const isOpen = ref(false)

export const isSwitcherOpen = readonly(isOpen)
export const openSwitcher = (): void => void (isOpen.value = true)
export const closeSwitcher = (): void => void (isOpen.value = false)
