// The paths of the application, below the page's <base>.
import { createRouter, createWebHistory } from 'vue-router'
import ChatPage from '@/features/chat/ChatPage.vue'

declare module 'vue-router' {
  interface RouteMeta {
    /** The key of the page's title. */
    title: 'nav.chat' | 'nav.inbox' | 'nav.settings' | 'nav.notFound'
  }
}

export function createPages() {
  return createRouter({
    history: createWebHistory(),
    routes: [
      { path: '/', redirect: '/chat' },
      { path: '/chat/:room?', name: 'chat', component: ChatPage, props: true, meta: { title: 'nav.chat' } },
      { path: '/meldungen', name: 'inbox', component: () => import('@/features/inbox/InboxPage.vue'), meta: { title: 'nav.inbox' } },
      { path: '/einstellungen', name: 'settings', component: () => import('@/features/settings/SettingsPage.vue'), meta: { title: 'nav.settings' } },
      { path: '/:rest(.*)*', name: 'not-found', component: () => import('@/features/session/NotFoundPage.vue'), meta: { title: 'nav.notFound' } },
    ],
  })
}
