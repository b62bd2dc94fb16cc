// The catalogues: German first, English on request. Keys are typed by the German one.
import { watch } from 'vue'
import { createI18n } from 'vue-i18n'
import { later } from '@/platform/parts'
import type { Settings, useSettings } from '@/stores/settings'
import type admin from './admin.de.json'
import de from './de.json'

/** The catalogue of the administration is loaded with its pages. */
type Catalogue = typeof de & { admin: typeof admin }

declare module 'vue-i18n' {
  export interface DefineLocaleMessage extends Catalogue {}
}

const loadEnglish = later(() => import('./en.json'))

/** Returns the translations, in German until they are loaded in the language of the settings. */
export function createTranslations(settings: ReturnType<typeof useSettings>) {
  const i18n = createI18n({
    legacy: false,
    locale: 'de',
    fallbackLocale: 'de',
    messages: { de: de as Catalogue } as Record<Settings['language'], Catalogue>,
    missingWarn: import.meta.env.DEV,
  })

  async function show(language: Settings['language']): Promise<void> {
    if (language === 'en') i18n.global.mergeLocaleMessage('en', (await loadEnglish()).default)
    if (settings.values.language === language) i18n.global.locale.value = language
  }
  /** Without the network, the texts stay German: the page says that a part is missing. */
  const ready = show(settings.values.language).catch(() => undefined)
  watch(() => settings.values.language, (language) => void show(language).catch(() => undefined))
  return { i18n, ready }
}
