// The state of the room switcher (Ctrl+K): the shell shows it, and the room list opens it.
import { readonly, ref } from 'vue'

const isOpen = ref(false)

export const isSwitcherOpen = readonly(isOpen)
export const openSwitcher = (): void => void (isOpen.value = true)
export const closeSwitcher = (): void => void (isOpen.value = false)
