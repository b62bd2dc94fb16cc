// The paths of the application, below the page's <base>.
import { createRouter, createWebHistory } from 'vue-router'
import ChatPage from '@/features/chat/ChatPage.vue'
import { closeLayers, followHistory } from '@/platform/layers'
import { later } from '@/platform/parts'
import { ADMIN_PAGES, type AdminPage, routeOf } from './admin_pages'

declare module 'vue-router' {
  interface RouteMeta {
    /** The key of the page's title. */
    title: 'nav.chat' | 'nav.search' | 'nav.inbox' | 'nav.settings' | 'nav.notFound' | `adminPage.${AdminPage}`
    /** The page of the administration. */
    adminPage?: AdminPage
  }
}

export function createPages() {
  // One component for all these pages: it keeps its state, and loads them for administrators only.
  const administration = ADMIN_PAGES.map((page) => ({
    path: routeOf(page),
    name: `admin-${page.name}`,
    component: () => import('@/features/AdminGate.vue'),
    meta: { title: `adminPage.${page.name}`, adminPage: page.name } as const,
  }))
  const history = createWebHistory()
  const router = createRouter({
    history,
    routes: [
      { path: '/', redirect: '/chat' },
      { path: '/chat/:room?', name: 'chat', component: ChatPage, props: true, meta: { title: 'nav.chat' } },
      { path: '/suche', name: 'search', component: later(() => import('@/features/search/SearchPage.vue')), meta: { title: 'nav.search' } },
      { path: '/meldungen', name: 'inbox', component: later(() => import('@/features/inbox/InboxPage.vue')), meta: { title: 'nav.inbox' } },
      { path: '/einstellungen', name: 'settings', component: later(() => import('@/features/settings/SettingsPage.vue')), meta: { title: 'nav.settings' } },
      ...administration,
      { path: '/:rest(.*)*', name: 'not-found', component: later(() => import('@/features/session/NotFoundPage.vue')), meta: { title: 'nav.notFound' } },
    ],
  })
  followHistory(history, () => router.currentRoute.value.fullPath)
  router.beforeEach(async (to, from) => {
    // A filter in the address changes nothing about an open panel.
    if (to.path !== from.path) await closeLayers()
  })
  return router
}
