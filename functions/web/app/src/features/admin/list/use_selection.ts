// The selected rows. They stay selected over pages and refreshes, until the filters change.
import { computed, shallowRef } from 'vue'

export function useSelection<T>(keyOf: (row: T) => string) {
  const rows = shallowRef<ReadonlyMap<string, T>>(new Map())
  const count = computed(() => rows.value.size)

  function toggle(row: T): void {
    const next = new Map(rows.value)
    if (!next.delete(keyOf(row))) next.set(keyOf(row), row)
    rows.value = next
  }

  function add(more: readonly T[]): void {
    rows.value = new Map([...rows.value, ...more.map((row) => [keyOf(row), row] as const)])
  }

  function remove(less: readonly T[]): void {
    const next = new Map(rows.value)
    for (const row of less) next.delete(keyOf(row))
    rows.value = next
  }

  function clear(): void {
    rows.value = new Map()
  }

  return { rows, count, toggle, add, remove, clear }
}

export type Selection<T> = ReturnType<typeof useSelection<T>>
