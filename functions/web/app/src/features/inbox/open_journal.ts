// The alarm whose journal is open beside the list. A link to an alarm opens it.
import { computed, nextTick, type Ref, ref, watch } from 'vue'
import { useRoute, useRouter } from 'vue-router'
import { useLayer } from '@/composables/layer'

export function useOpenJournal(): { opened: Ref<number | null>; open: (id: number) => void } {
  const route = useRoute()
  const router = useRouter()
  const opened = ref<number | null>(null)
  const isOpen = computed({
    get: () => opened.value !== null,
    set: (is) => {
      if (!is) opened.value = null
    },
  })
  useLayer(isOpen, { hasEscape: true })
  /** The button that gets the focus back. */
  let opener: Element | null = null

  function open(id: number): void {
    opener = document.activeElement
    opened.value = id
  }

  watch(isOpen, async (is) => {
    if (is) return
    await nextTick()
    if (opener instanceof HTMLElement) opener.focus()
  })
  watch(
    () => route.query.stoerung,
    async (id) => {
      if (typeof id !== 'string' || !/^\d+$/.test(id)) return
      const { stoerung: _, ...query } = route.query
      await router.replace({ query })
      open(Number(id))
    },
    { immediate: true },
  )
  return { opened, open }
}
