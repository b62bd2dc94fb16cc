// A menu that is created by the tap on its button, and opens at once.
import { onMounted, onUnmounted, type Ref, ref } from 'vue'
import { useLayer } from './layer'

export function useCreatedMenu(): Ref<boolean> {
  const isOpen = ref(false)
  useLayer(isOpen)
  /** It opens after the tap: the end of that tap would close it again. */
  let opening: ReturnType<typeof setTimeout> | undefined
  onMounted(() => (opening = setTimeout(() => (isOpen.value = true), 0)))
  onUnmounted(() => clearTimeout(opening))
  return isOpen
}
