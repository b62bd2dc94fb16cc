// A value in the query of the address: filters are stored there, so that a link shows the same list.
import { computed, type WritableComputedRef } from 'vue'
import { useRoute, useRouter } from 'vue-router'

/** Returns the value of a parameter; the default is left out of the address. */
export function useRouteQuery(name: string, fallback: string): WritableComputedRef<string> {
  const route = useRoute()
  const router = useRouter()
  return computed({
    get() {
      const value = route.query[name]
      return typeof value === 'string' ? value : fallback
    },
    set(value) {
      const { [name]: _, ...others } = route.query
      void router.replace({ query: value === fallback ? others : { ...others, [name]: value } })
    },
  })
}
