// The message that another one replies to: from the timeline of its room, else from the service.
import { useQuery } from '@pinia/colada'
import { computed } from 'vue'
import { useI18n } from 'vue-i18n'
import { history } from '@/api/calls'
import { ApiError, failureOf } from '@/api/problem'
import type { Message } from '@/api/types'
import { visibleName } from '@/composables/file_name'
import { useRedactions } from '@/stores/redactions'
import { rowOf } from '@/stores/timeline'
import { useTimelines } from '@/stores/timelines'
import { plainOf } from './rich_text'

/** `eventId` returns `null` if nothing is quoted. */
export function useQuoted(room: () => string, eventId: () => string | null) {
  const { t } = useI18n()
  const timelines = useTimelines()
  const redactions = useRedactions()
  const isRedacted = computed(() => redactions.has(eventId() ?? ''))
  const loaded = computed(() => timelines.get(room()).rows.find(({ event_id }) => event_id === eventId()))
  const { data, status } = useQuery({
    key: () => ['message', room(), eventId() ?? ''],
    enabled: () => eventId() !== null && loaded.value === undefined && !isRedacted.value,
    query: () => messageOf(room(), eventId() ?? ''),
  })
  /** `null` while it is being read, and if it is gone. */
  const quoted = computed(() => {
    if (isRedacted.value || eventId() === null) return null
    return loaded.value ?? (data.value ? rowOf(data.value, 0) : null)
  })
  /** Whether it was deleted, as far as the service has said so. */
  const isGone = computed(() => isRedacted.value || (eventId() !== null && quoted.value === null && status.value === 'success'))
  const text = computed(() => {
    if (isGone.value) return t('chat.quotedGone')
    if (quoted.value === null) return t(status.value === 'error' ? 'chat.quotedFailed' : 'chat.quotedLoading')
    const { body, media_path, filename, formatted_body } = quoted.value
    if (media_path !== undefined) return visibleName(filename ?? t('chat.quotedFile'))
    return formatted_body === null ? body : plainOf(formatted_body)
  })

  return { quoted, isGone, text }
}

/** Reads a message; `null` if it was deleted. */
async function messageOf(room: string, id: string): Promise<Message | null> {
  try {
    const { messages } = await history(room, { around: id }, 1)
    return messages.find(({ event_id }) => event_id === id) ?? null
  } catch (thrown) {
    const failure = failureOf(thrown)
    if (failure instanceof ApiError && failure.status === 404) return null
    throw failure
  }
}
