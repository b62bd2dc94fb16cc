// Renders all loaded rows for the printer, synchronously: a page that prints by script does not wait.
import { useEventListener } from '@vueuse/core'
import { getCurrentInstance, h, onScopeDispose, type Ref, render } from 'vue'
import type { Item } from './items'
import MessageRow from './MessageRow.vue'

/** Fills the element with all rows while the page is being printed. */
export function usePrintedRows(target: Readonly<Ref<HTMLElement | null>>, items: Readonly<Ref<readonly Item[]>>, own: () => string): void {
  const context = getCurrentInstance()?.appContext ?? null

  function fill(): void {
    if (target.value === null) return
    const rows = items.value.flatMap((item) => (item.kind === 'message' ? [h(MessageRow, { key: item.key, item, own: own() })] : []))
    const list = h('div', rows)
    list.appContext = context
    // Without the context of the application, the rows would have no translations.
    for (const row of rows) row.appContext = context
    render(list, target.value)
  }

  function clear(): void {
    if (target.value !== null) render(null, target.value)
  }

  useEventListener('beforeprint', fill)
  useEventListener('afterprint', clear)
  onScopeDispose(clear)
}
