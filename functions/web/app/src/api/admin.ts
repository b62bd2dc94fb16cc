// The calls of the administration, one function each. `tenant` is null for the administrator's own one.
import { ask, askPage, askRows, client, type Page } from './client'
import type { components } from './schema'

type Schemas = components['schemas']
export type { Page }
export type Tenant = number | null
export type Tenants = Schemas['AdministeredTenants']
export type SendingApp = Schemas['SendingApp']
export type Statistics = Schemas['Statistics']
export type TenantUser = Schemas['TenantUser']
export type AdministeredRoom = Schemas['AdministeredRoom']
export type AdministeredMember = Schemas['AdministeredMember']
export type ClosedRoom = Schemas['ClosedRoom']
export type AdminNotification = Schemas['AdminNotification']
export type AdminDeliveries = Schemas['AdminDeliveries']
export type BulkCount = Schemas['BulkCount']
export type BulkProgress = Schemas['BulkProgress']
export type HeldMessage = Schemas['HeldMessage']
export type AuditEntry = Schemas['AuditEntry']
export type License = Schemas['Component']

/** An act on notifications. */
export type Act = 'retry' | 'cancel'
/** The filters of a list: the text of each field; an empty one is none. */
export type Filters = Readonly<Record<string, string>>

const query = (tenant: Tenant, others: Record<string, unknown> = {}): Record<string, unknown> => ({
  ...(tenant === null ? {} : { tenant_id: tenant }),
  ...Object.fromEntries(Object.entries(others).filter(([, value]) => value !== '' && value !== null && value !== undefined)),
})

export const tenants = (): Promise<Tenants> => ask(client.GET('/api/v1/admin/tenants', { params: { query: {} } }))
export const apps = (tenant: Tenant): Promise<SendingApp[]> => ask(client.GET('/api/v1/admin/apps', { params: { query: query(tenant) } }))
export const statistics = (tenant: Tenant, signal?: AbortSignal): Promise<Statistics> =>
  ask(client.GET('/api/v1/admin/stats', { params: { query: query(tenant) }, signal }))

export const users = (tenant: Tenant, filters: Filters, cursor: string | null, signal: AbortSignal): Promise<Page<TenantUser>> =>
  askRows(client.GET('/api/v1/admin/users', { params: { query: query(tenant, { ...filters, cursor, limit: 100 }) }, signal }))
const user = (tenant: Tenant, id: string) => ({ path: { id }, query: query(tenant) })
export const findUser = (tenant: Tenant, id: string): Promise<TenantUser> =>
  ask(client.GET('/api/v1/admin/users/{id}', { params: user(tenant, id) }))
const unchanged = (version: number) => ({ 'If-Match': `"${version}"` })
export const renameUser = (tenant: Tenant, { hub_user_id, version }: TenantUser, display_name: string | null): Promise<TenantUser> =>
  ask(client.PATCH('/api/v1/admin/users/{id}', { params: user(tenant, hub_user_id), headers: unchanged(version), body: { display_name } }))
export const setExternalAccess = (tenant: Tenant, { hub_user_id, version }: TenantUser, enabled: boolean): Promise<TenantUser> =>
  ask(client.POST('/api/v1/admin/users/{id}/external-access', { params: user(tenant, hub_user_id), headers: unchanged(version), body: { enabled } }))
export const logUserOut = (tenant: Tenant, { hub_user_id, version }: TenantUser): Promise<TenantUser> =>
  ask(client.POST('/api/v1/admin/users/{id}/logout', { params: user(tenant, hub_user_id), headers: unchanged(version) }))

export const rooms = (tenant: Tenant, filters: Filters, cursor: string | null, signal: AbortSignal): Promise<Page<AdministeredRoom>> =>
  askRows(client.GET('/api/v1/admin/rooms', { params: { query: query(tenant, { ...filters, cursor, limit: 100 }) }, signal }))
const room = (tenant: Tenant, id: string) => ({ path: { id }, query: query(tenant) })
export const roomMembers = (tenant: Tenant, id: string): Promise<AdministeredMember[]> =>
  ask(client.GET('/api/v1/admin/rooms/{id}/members', { params: room(tenant, id) }))
export const closeRoom = (tenant: Tenant, id: string): Promise<ClosedRoom> =>
  ask(client.DELETE('/api/v1/admin/rooms/{id}', { params: room(tenant, id) }))

export interface FoundNotifications extends Page<AdminNotification> {
  /** The time at which the search ended, if it ended before the page was full. */
  searchedUntil: string | null
}
export async function notifications(tenant: Tenant, filters: Filters, cursor: string | null, signal?: AbortSignal, limit = 100): Promise<FoundNotifications> {
  const found = await ask(client.GET('/api/v1/admin/notifications', { params: { query: query(tenant, { ...filters, cursor, limit }) }, signal }))
  const { notifications: rows, next_cursor, searched_until } = found as Schemas['AdminNotifications']
  return { rows, next: next_cursor === null ? null : String(next_cursor), searchedUntil: searched_until }
}
/** Returns rows as CSV with a header line. */
export const notificationsCsv = (tenant: Tenant, filters: Filters, cursor: string | null, signal: AbortSignal): Promise<{ data: string; next: string | null }> =>
  askPage(
    client.GET('/api/v1/admin/notifications', { params: { query: query(tenant, { ...filters, cursor, format: 'csv' }) }, parseAs: 'text', signal }) as Promise<{
      data?: string
      error?: unknown
      response: Response
    }>,
  )
const notification = (tenant: Tenant, id: number) => ({ path: { id }, query: query(tenant) })
export const deliveries = (tenant: Tenant, id: number): Promise<AdminDeliveries> =>
  ask(client.GET('/api/v1/admin/notifications/{id}/deliveries', { params: notification(tenant, id) }))
export const changeNotification = (tenant: Tenant, id: number, act: Act): Promise<AdminNotification> =>
  ask(client.POST(`/api/v1/admin/notifications/{id}/${act}`, { params: notification(tenant, id) }))
export const readdress = (tenant: Tenant, id: number, target_user: string): Promise<AdminNotification> =>
  ask(client.POST('/api/v1/admin/notifications/{id}/readdress', { params: notification(tenant, id), body: { target_user } }))

/** Returns the filter of a bulk act, whose `test` is a boolean. */
const filterOf = ({ test = '', ...filters }: Filters) => {
  const texts = Object.fromEntries(Object.entries(filters).filter(([, value]) => value !== ''))
  return test === '' ? texts : { ...texts, test: test === 'true' }
}
export const countMatching = (tenant: Tenant, filters: Filters, act: Act): Promise<BulkCount> =>
  ask(client.POST(`/api/v1/admin/notifications/${act}`, { params: { query: query(tenant) }, body: { filter: filterOf(filters), dry_run: true } })) as Promise<BulkCount>
export const changeMatching = (tenant: Tenant, filters: Filters, act: Act, expected: number, key: string): Promise<BulkProgress> =>
  ask(
    client.POST(`/api/v1/admin/notifications/${act}`, {
      params: { query: query(tenant) },
      headers: { 'Idempotency-Key': key },
      body: { filter: filterOf(filters), expected },
    }),
  ) as Promise<BulkProgress>

export interface TestTarget {
  target_type: 'general' | 'entity_room' | 'dm' | 'service_room'
  target_user?: string
  entity_type?: string
  entity_id?: string
}
export const sendTest = (tenant: Tenant, target: TestTarget, priority: 'normal' | 'urgent', text: string): Promise<AdminNotification> =>
  ask(client.POST('/api/v1/admin/test-notification', { params: { query: query(tenant) }, body: { ...target, priority, text: text || null } }))

export async function held(tenant: Tenant, cursor: string | null, signal: AbortSignal): Promise<Page<HeldMessage>> {
  const page = await ask(client.GET('/api/v1/admin/held', { params: { query: query(tenant, { cursor, limit: 100 }) }, signal }))
  return { rows: page.held, next: page.next_cursor ?? null }
}
export async function audit(tenant: Tenant, filters: Filters, cursor: string | null, signal?: AbortSignal, limit = 100): Promise<Page<AuditEntry>> {
  const page = await ask(client.GET('/api/v1/admin/audit', { params: { query: query(tenant, { ...filters, before: cursor, limit }) }, signal }))
  return { rows: page.entries, next: page.next_before === undefined || page.next_before === null ? null : String(page.next_before) }
}
export const LICENSE_LISTS = ['rust', 'frontend', 'python', 'system'] as const
export const licenses = (list: (typeof LICENSE_LISTS)[number]): Promise<License[]> => ask(client.GET(`/api/v1/licenses/${list}`))
