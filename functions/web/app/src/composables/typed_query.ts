// A text in the query of the address that follows the input of a field, after a pause.
import { useDebounceFn } from '@vueuse/core'
import { onScopeDispose, type Ref, ref, watch, type WritableComputedRef } from 'vue'
import { useRouteQuery } from './route_query'

/** The pause after the last letter, in milliseconds. */
const PAUSE = 300

/** Returns the text of the field, and that of the address. */
export function useTypedQuery(name: string): { typed: Ref<string>; asked: WritableComputedRef<string> } {
  const asked = useRouteQuery(name, '')
  const typed = ref(asked.value)
  /** The last text that was put into the address from here: its return does not change later input. */
  let last = asked.value
  let isOver = false
  const ask = useDebounceFn(() => {
    if (isOver || typed.value.trim() === last) return
    asked.value = last = typed.value.trim()
  }, PAUSE)
  watch(asked, (now) => {
    if (now !== last) typed.value = last = now
  })
  watch(typed, () => void ask())
  // The address may be that of another page by then.
  onScopeDispose(() => (isOver = true))
  return { typed, asked }
}

/** Returns whether a word of a text has two characters, as the service requires. */
export const isSearchable = (text: string): boolean => text.split(/\s+/u).some((word) => [...word].length >= 2)
