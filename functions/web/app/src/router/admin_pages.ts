// The pages of the administration, in the order of its navigation.

export const ADMIN_PAGES = [
  { name: 'dashboard', path: '/admin' },
  { name: 'notifications', path: '/admin/meldungen' },
  { name: 'users', path: '/admin/benutzer' },
  { name: 'rooms', path: '/admin/raeume' },
  { name: 'audit', path: '/admin/audit' },
  { name: 'connect', path: '/admin/anbindung' },
  { name: 'about', path: '/admin/info' },
] as const

export type AdminPage = (typeof ADMIN_PAGES)[number]['name']

/** Pages whose path is followed by the id of the open object. */
const WITH_ID: ReadonlySet<AdminPage> = new Set<AdminPage>(['notifications', 'users', 'rooms'])

/** Returns the path of a page as the router reads it. */
export const routeOf = ({ name, path }: (typeof ADMIN_PAGES)[number]): string => (WITH_ID.has(name) ? `${path}/:id?` : path)
