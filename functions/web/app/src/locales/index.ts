// The catalogues: German first, English on request. Keys are typed by the German one.
import { watchEffect } from 'vue'
import { createI18n } from 'vue-i18n'
import type { useSettings } from '@/stores/settings'
import type admin from './admin.de.json'
import de from './de.json'
import en from './en.json'

/** The catalogue of the administration is loaded with its pages. */
type Catalogue = typeof de & { admin: typeof admin }

declare module 'vue-i18n' {
  export interface DefineLocaleMessage extends Catalogue {}
}

export function createTranslations(settings: ReturnType<typeof useSettings>) {
  const i18n = createI18n({
    legacy: false,
    locale: settings.values.language,
    fallbackLocale: 'de',
    messages: { de: de as Catalogue, en: en as Catalogue },
    missingWarn: import.meta.env.DEV,
  })
  watchEffect(() => {
    i18n.global.locale.value = settings.values.language
  })
  return i18n
}
