// The row that is open beside its list. Its id stands in the path.
import { computed } from 'vue'
import { useRoute, useRouter } from 'vue-router'

/** Returns the id of the row that is open below the path, empty if there is none, and the function that opens another. */
export function useOpenRow(path: string) {
  const route = useRoute()
  const router = useRouter()
  const open = computed(() => (typeof route.params.id === 'string' ? route.params.id : ''))
  const go = (id: string) => router.push({ path: id === '' ? path : `${path}/${encodeURIComponent(id)}`, query: route.query })
  return { open, go }
}
