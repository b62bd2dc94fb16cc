// A list of notifications by a filter: pages of the service, and those that came live since.
import { computed, ref, shallowRef, watch } from 'vue'
import type { InboxQuery } from '@/api/calls'
import { type Failure, failureOf } from '@/api/problem'
import { useInbox } from '@/stores/inbox'
import { hasWords, type InboxFilter, isShown } from '@/stores/inbox_entries'

const PAGE = 50
/** The most pages to read until one has an entry: with filters a page may be empty. */
const PAGES = 10

export function useInboxList(filter: () => InboxFilter) {
  const inbox = useInbox()
  const ids = shallowRef<ReadonlySet<number>>(new Set())
  /** The newest notification when the list was read: newer ones came live. */
  const since = ref(0)
  const next = ref<number | null>(null)
  const isLoading = ref(false)
  const failure = shallowRef<Failure | null>(null)
  let request = Symbol('list')

  const shown = computed(() => inbox.entries.filter((entry) => ((entry.id > since.value && hasWords(entry.title, entry.body, filter().text)) || ids.value.has(entry.id)) && isShown(entry, filter())))

  function queryOf({ state, app, text, entity }: InboxFilter): InboxQuery {
    return {
      limit: PAGE,
      ...(state === 'unread' ? { unread: true } : {}),
      ...(state === 'urgent' ? { priority: 'urgent' as const } : {}),
      ...(app === '' ? {} : { source_app: app }),
      ...(text === '' ? {} : { q: text }),
      ...(entity === null ? {} : { entity_type: entity.type, entity_id: entity.id }),
    }
  }

  async function load(before: number | null): Promise<void> {
    const current = (request = Symbol('list'))
    isLoading.value = true
    failure.value = null
    if (before === null) {
      since.value = inbox.entries[0]?.id ?? 0
      ids.value = new Set()
    }
    try {
      const query = queryOf(filter())
      let page = await inbox.page({ ...query, ...(before === null ? {} : { before }) })
      for (let count = 1; page.ids.length === 0 && page.next !== null && count < PAGES; count += 1) page = await inbox.page({ ...query, before: page.next })
      if (request !== current) return
      ids.value = new Set([...ids.value, ...page.ids])
      next.value = page.next
    } catch (thrown) {
      if (request === current) failure.value = failureOf(thrown)
    } finally {
      if (request === current) isLoading.value = false
    }
  }

  const reload = () => load(null)
  watch(() => JSON.stringify(filter()), reload, { immediate: true })
  return { shown, isLoading, failure, hasMore: computed(() => next.value !== null), reload, loadMore: () => load(next.value) }
}
