// The figures of the tenant, which the shell and the dashboard share.
import { useQuery } from '@pinia/colada'
import { statistics } from '@/api/admin'
import { useTenant } from './tenant'
import { useWhileVisible } from './while_visible'

/** The pause between two readings, in milliseconds. */
const PAUSE = 5_000

/** Returns the figures, which are refreshed while the page is visible. */
export function useStatistics() {
  const { tenant } = useTenant()
  const query = useQuery({ key: () => ['admin', 'statistics', tenant.value ?? 'own'], query: ({ signal }) => statistics(tenant.value, signal), staleTime: PAUSE - 500 })
  useWhileVisible(PAUSE, () => query.refresh())
  return query
}
