// The catalogues: German first, English on request. Keys are typed by the German one.
import { watchEffect } from 'vue'
import { createI18n } from 'vue-i18n'
import type { useSettings } from '@/stores/settings'
import de from './de.json'
import en from './en.json'

type Catalogue = typeof de

declare module 'vue-i18n' {
  export interface DefineLocaleMessage extends Catalogue {}
}

export function createTranslations(settings: ReturnType<typeof useSettings>) {
  const i18n = createI18n({
    legacy: false,
    locale: settings.values.language,
    fallbackLocale: 'de',
    messages: { de, en: en as Catalogue },
    missingWarn: import.meta.env.DEV,
  })
  watchEffect(() => {
    i18n.global.locale.value = settings.values.language
  })
  return i18n
}
