// A dialog, menu or panel that Back closes, and Escape where it has no key handling of its own.
import { useEventListener } from '@vueuse/core'
import { onScopeDispose, type Ref, watch } from 'vue'
import { closeLayer, isUppermost, type Layer, openLayer } from '@/platform/layers'

export function useLayer(isOpen: Ref<boolean>, { hasEscape = false } = {}): void {
  const layer: Layer = { close: () => (isOpen.value = false) }

  // At once: a layer that closes while another one opens gives it its place in the history.
  watch(isOpen, (is) => (is ? openLayer(layer) : closeLayer(layer)), { flush: 'sync', immediate: true })
  onScopeDispose(() => closeLayer(layer))
  if (!hasEscape) return
  useEventListener(document, 'keydown', (event: KeyboardEvent) => {
    if (event.key !== 'Escape' || event.defaultPrevented || !isOpen.value || !isUppermost(layer)) return
    event.preventDefault()
    layer.close()
  })
}
