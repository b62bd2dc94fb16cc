// The administered tenant: the administrator's own one, or the one that a super administrator has chosen.
// It stands in the address, so that every page and link names it.
import { useQuery } from '@pinia/colada'
import { computed } from 'vue'
import { useRoute, useRouter } from 'vue-router'
import { type Tenant, tenants } from '@/api/admin'

const PARAMETER = 'mandant'

/** Returns the tenant in a query of the address; `null` for the own one. */
function tenantOf(value: unknown): Tenant {
  return typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : null
}

export function useTenant() {
  const route = useRoute()
  const router = useRouter()
  const { data } = useQuery({ key: ['admin', 'tenants'], query: tenants, staleTime: 60_000 })
  const tenant = computed(() => tenantOf(route.query[PARAMETER]))
  const own = computed(() => data.value?.tenant_id ?? null)
  const mayChoose = computed(() => data.value?.may_choose ?? false)
  const all = computed(() => data.value?.tenants ?? [])
  /** The number of the tenant that is shown. */
  const shown = computed(() => tenant.value ?? own.value)

  /** Returns a place in the administration of the same tenant. */
  const to = (path: string, query: Record<string, string> = {}) => ({
    path,
    query: tenant.value === null ? query : { [PARAMETER]: String(tenant.value), ...query },
  })
  /** Shows another tenant, on the same page without its filters. */
  function choose(id: number): void {
    const page = route.path.split('/').slice(0, 3).join('/')
    void router.push({ path: page, query: id === own.value ? {} : { [PARAMETER]: String(id) } })
  }

  return { tenant, own, shown, all, mayChoose, to, choose }
}
