// Opens the room of a notification or an alarm. A user who is no member joins it first, and stays a member.
import { ref } from 'vue'
import { useI18n } from 'vue-i18n'
import { useRouter } from 'vue-router'
import { joinRoom } from '@/api/calls'
import { failureOf } from '@/api/problem'
import { useFailureText } from '@/composables/failure_text'
import { messagePath, roomPath } from '@/router/paths'
import { useInbox } from '@/stores/inbox'
import type { InboxEntry } from '@/stores/inbox_entries'
import { useRooms } from '@/stores/rooms'
import { useToasts } from '@/stores/toasts'

export function useOpenMessage() {
  const { t } = useI18n()
  const router = useRouter()
  const inbox = useInbox()
  const rooms = useRooms()
  const toasts = useToasts()
  const failureText = useFailureText()
  const isOpening = ref(false)

  /** Whether the room opens without joining it, as far as it is known. */
  const isMember = (room: string | null): boolean => room !== null && (rooms.all.has(room) || !rooms.isLoaded)

  async function openMessage(room: string, entry: InboxEntry | null): Promise<void> {
    isOpening.value = true
    try {
      if (!rooms.all.has(room)) rooms.put(await joinRoom(room))
      if (entry !== null) inbox.markRead([entry.id])
      await router.push(entry === null || entry.eventId === null ? roomPath(room) : messagePath(room, entry.eventId))
    } catch (thrown) {
      toasts.show({ title: t('rooms.failed'), text: failureText(failureOf(thrown)), to: null, tone: 'danger' })
    } finally {
      isOpening.value = false
    }
  }

  return { isOpening, isMember, openMessage }
}
