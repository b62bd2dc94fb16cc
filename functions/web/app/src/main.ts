// The start of the application: mounts it with its stores, catalogues and pages.
import './styles/main.css'
import { PiniaColada } from '@pinia/colada'
import { createPinia } from 'pinia'
import { createApp } from 'vue'
import App from './App.vue'
import { signIn } from './early'
import { createTranslations } from './locales'
import { followCovered } from './platform/covered'
import { reloadOnStaleBuild } from './platform/stale_build'
import { createPages } from './router'
import { useSession } from './stores/session'
import { useSettings } from './stores/settings'

reloadOnStaleBuild()
followCovered()

const app = createApp(App)
app.use(createPinia()).use(PiniaColada)
app.use(createTranslations(useSettings()))
app.use(createPages())
void useSession().start(signIn)
app.mount('#app')
