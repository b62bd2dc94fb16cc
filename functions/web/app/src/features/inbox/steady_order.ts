// The order of a list that changes by itself: it stays while somebody is about to press a button in it.
import { useEventListener } from '@vueuse/core'
import { computed, type ComputedRef, onScopeDispose, type Ref, shallowRef } from 'vue'

/** The time after the last movement or key for which the order stays, in milliseconds. */
const HOLD = 4_000

interface Keyed {
  readonly id: number
}

/** Returns the list, in its last order while it is used. New ones come last then, and `find` returns those that have left it. */
export function useSteadyOrder<T extends Keyed>(list: () => readonly T[], find: (id: number) => T | undefined, element: Ref<HTMLElement | null>): ComputedRef<readonly T[]> {
  const held = shallowRef<readonly number[] | null>(null)
  let timer: ReturnType<typeof setTimeout> | undefined

  const shown = computed(() => {
    if (held.value === null) return list()
    const ids = new Set(held.value)
    return [...held.value.flatMap((id) => find(id) ?? []), ...list().filter(({ id }) => !ids.has(id))]
  })

  function hold(): void {
    held.value ??= shown.value.map(({ id }) => id)
    clearTimeout(timer)
    timer = setTimeout(release, HOLD)
  }

  /** A row that moves would lose the focus of the keyboard. */
  function release(): void {
    if (element.value?.querySelector(':focus-visible')) return hold()
    held.value = null
  }

  useEventListener(element, ['pointermove', 'pointerdown', 'keydown', 'focusin'], hold, { passive: true })
  onScopeDispose(() => clearTimeout(timer))
  return shown
}
