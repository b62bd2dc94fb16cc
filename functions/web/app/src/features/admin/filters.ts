// The filters of a list, which are stored in the address: a link shows the same list.
import { computed } from 'vue'
import { useRoute, useRouter } from 'vue-router'
import type { Filters } from '@/api/admin'

/** Returns the filters with these names, and the function that changes some of them at once. */
export function useFilters(names: readonly string[]) {
  const route = useRoute()
  const router = useRouter()
  const values = computed<Filters>(() =>
    Object.fromEntries(names.map((name) => [name, typeof route.query[name] === 'string' ? route.query[name] : ''])),
  )
  const isFiltered = computed(() => Object.values(values.value).some((value) => value !== ''))

  function set(changes: Filters): Promise<unknown> {
    const query = Object.fromEntries(Object.entries({ ...route.query, ...changes }).filter(([, value]) => value !== ''))
    return router.replace({ path: route.path, query })
  }

  /** Returns one filter as a model. */
  const field = (name: string) => computed({ get: () => values.value[name] ?? '', set: (value) => void set({ [name]: value }) })
  const clear = () => set(Object.fromEntries(names.map((name) => [name, ''])))

  return { values, isFiltered, set, field, clear }
}

export type FilterSet = ReturnType<typeof useFilters>
