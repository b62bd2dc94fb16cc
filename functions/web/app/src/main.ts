// The start: the Hub's token leaves the address before anything else reads it, then the application begins.
import './styles/main.css'
import { PiniaColada } from '@pinia/colada'
import { createPinia } from 'pinia'
import { createApp } from 'vue'
import App from './App.vue'
import { createTranslations } from './locales'
import { takeHubToken } from './platform/hub_token'
import { createPages } from './router'
import { useSession } from './stores/session'
import { useSettings } from './stores/settings'

const hubToken = takeHubToken()
addEventListener('vite:preloadError', (event) => {
  // A file of an older build is gone: the new page has its own. Once, so that a broken build does not loop.
  if (sessionStorage.getItem('messenger.reloaded') === location.href) return
  event.preventDefault()
  sessionStorage.setItem('messenger.reloaded', location.href)
  location.reload()
})

const app = createApp(App)
app.use(createPinia()).use(PiniaColada)
app.use(createTranslations(useSettings()))
app.use(createPages())
void useSession().start(hubToken)
app.mount('#app')
