// The start: removes the Hub's parameters from the address before other code reads it, then mounts the app.
import './styles/main.css'
import { PiniaColada } from '@pinia/colada'
import { createPinia } from 'pinia'
import { createApp } from 'vue'
import App from './App.vue'
import { createTranslations } from './locales'
import { followCovered } from './platform/covered'
import { takeHubSignIn } from './platform/hub_sign_in'
import { reloadOnStaleBuild } from './platform/stale_build'
import { createPages } from './router'
import { useSession } from './stores/session'
import { useSettings } from './stores/settings'

const hubSignIn = takeHubSignIn()
reloadOnStaleBuild()
followCovered()

const app = createApp(App)
app.use(createPinia()).use(PiniaColada)
app.use(createTranslations(useSettings()))
app.use(createPages())
void useSession().start(hubSignIn)
app.mount('#app')
