// The settings of this browser: language, theme, density and sounds. boot.js reads the same record.
import { usePreferredDark } from '@vueuse/core'
import { defineStore } from 'pinia'
import { computed, reactive, watchEffect } from 'vue'
import { local } from '@/platform/storage'

const KEY = 'messenger.settings'
/** The colour of the browser's own frame, that of the page. */
const FRAME = { light: '#f3f5f8', dark: '#0f1419' }

export interface Settings {
  language: 'de' | 'en'
  theme: 'system' | 'light' | 'dark'
  density: 'comfortable' | 'compact'
  /** Whether urgent notifications sound, and whether messages do. */
  urgentSound: boolean
  messageSound: boolean
  /** Whether the operating system shows notifications while the page is not in front. */
  osNotifications: boolean
}

const DEFAULTS: Settings = { language: 'de', theme: 'system', density: 'comfortable', urgentSound: true, messageSound: false, osNotifications: false }

function stored(): Partial<Settings> {
  try {
    const value: unknown = JSON.parse(local.get(KEY) ?? '{}')
    return typeof value === 'object' && value !== null ? value : {}
  } catch {
    return {}
  }
}

export const useSettings = defineStore('settings', () => {
  const values = reactive<Settings>({ ...DEFAULTS, ...stored() })
  const prefersDark = usePreferredDark()
  const isDark = computed(() => values.theme === 'dark' || (values.theme === 'system' && prefersDark.value))

  watchEffect(() => {
    const root = document.documentElement
    root.dataset.theme = isDark.value ? 'dark' : 'light'
    root.dataset.density = values.density
    root.lang = values.language
    document.querySelector('meta[name=theme-color]')?.setAttribute('content', isDark.value ? FRAME.dark : FRAME.light)
  })

  function change(changes: Partial<Settings>): void {
    Object.assign(values, changes)
    local.set(KEY, JSON.stringify(values))
  }

  return { values, isDark, change }
})
