// A new version of the service: unused tabs load it by themselves, each at a time of its own. A tab
// with unsaved content only offers it.
import { useIdle, useIntervalFn } from '@vueuse/core'
import { computed, ref, watch } from 'vue'
import { clientConfig } from '@/api/calls'
import { useConnection } from '@/stores/connection'
import { useDrafts } from '@/stores/drafts'
import { useOutbox } from '@/stores/outbox'
import { useSession } from '@/stores/session'
import { useUrgent } from '@/stores/urgent'
import { isIdlePage, type PageUse } from './page_use'

/** The time within which all tabs load it, without use before which one is idle, and between two looks, in milliseconds. */
const SPREAD = 5 * 60_000
const UNUSED = 60_000
const LOOK = 5_000

export function useNewVersion() {
  const session = useSession()
  const connection = useConnection()
  const drafts = useDrafts()
  const outbox = useOutbox()
  const urgent = useUrgent()
  const { idle } = useIdle(UNUSED)
  const loaded = session.config?.app_version
  /** Whether the time has come, and the page is in use. */
  const isOffered = ref(false)
  let reloadsAt = Number.POSITIVE_INFINITY

  const use = (): PageUse => ({
    isUnused: idle.value || document.hidden,
    isSending: !outbox.isEmpty,
    hasUrgent: urgent.all.length > 0,
    hasUnstored: session.isMemoryOnly && drafts.all.size > 0,
    hasDialog: document.querySelector('[role=dialog], [role=alertdialog]') !== null,
    isPlaying: [...document.querySelectorAll('video, audio')].some((media) => !(media as HTMLMediaElement).paused),
    texts: [...document.querySelectorAll('input, textarea')].map((field) => (field as HTMLInputElement | HTMLTextAreaElement).value),
    files: document.querySelectorAll('[data-draft-file]').length,
  })

  const { resume } = useIntervalFn(look, LOOK, { immediate: false })
  function look(): void {
    // Without a connection, nothing would be left of the page.
    if (Date.now() < reloadsAt || !connection.isUp) return
    if (isIdlePage(use())) location.reload()
    else isOffered.value = true
  }

  // A new version ends all streams, so each connection asks for the present version.
  watch(
    () => connection.isUp,
    async (isUp) => {
      if (!isUp || loaded === undefined || reloadsAt < Number.POSITIVE_INFINITY) return
      const config = await clientConfig().catch(() => null)
      if (config === null || config.app_version === loaded) return
      reloadsAt = Date.now() + Math.random() * SPREAD
      resume()
    },
  )

  return { isOffered: computed(() => isOffered.value && connection.isUp), reload: () => location.reload() }
}
