// The start of the application: mounts it with its stores, catalogues and pages.
import './styles/main.css'
import { PiniaColada } from '@pinia/colada'
import { createPinia } from 'pinia'
import { createApp } from 'vue'
import App from './App.vue'
import { signIn } from './early'
import { createTranslations } from './locales'
import { followCovered } from './platform/covered'
import { watchMissingParts } from './platform/stale_build'
import { createPages } from './router'
import { useRooms } from './stores/rooms'
import { useSession } from './stores/session'
import { useSettings } from './stores/settings'
import { useToasts } from './stores/toasts'

followCovered()

const app = createApp(App)
app.use(createPinia()).use(PiniaColada)
const translations = createTranslations(useSettings())
app.use(translations.i18n)
watchMissingParts((reason) => {
  const { t } = translations.i18n.global
  const isOffline = reason === 'offline'
  useToasts().show({ title: t(isOffline ? 'part.offline' : 'part.failed'), text: t(isOffline ? 'part.offlineText' : 'part.failedText'), to: null, tone: 'neutral' })
})
app.use(createPages())
useRooms().expect(signIn.rooms)
void useSession().start(signIn)
void translations.ready.then(() => app.mount('#app'))
