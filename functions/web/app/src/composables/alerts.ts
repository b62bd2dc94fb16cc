// Toast, sound and announcement of a new notification or message.
import { onScopeDispose, watch } from 'vue'
import { useI18n } from 'vue-i18n'
import { useRoute } from 'vue-router'
import type { NewMessageEvent } from '@/api/types'
import type { InboxEntry } from '@/platform/records'
import { SoundPlayer } from '@/platform/sound'
import { roomPath } from '@/router/paths'
import { useInbox } from '@/stores/inbox'
import { useRooms } from '@/stores/rooms'
import { useSettings } from '@/stores/settings'
import { useToasts } from '@/stores/toasts'

/** The pause between two sounds of an urgent notification that nobody has seen, in milliseconds. */
const URGENT_PAUSE = 8_000
/** Characters of a message that a toast shows. */
const SHOWN = 140

export function useAlerts(announce: (text: string) => void) {
  const { t } = useI18n()
  const route = useRoute()
  const toasts = useToasts()
  const rooms = useRooms()
  const inbox = useInbox()
  const settings = useSettings()
  const sounds = new SoundPlayer()
  let timer: ReturnType<typeof setInterval> | null = null

  const isOpen = (room: string | null) => room !== null && rooms.readRoom === room
  const short = (text: string) => (text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text)

  function notification(entry: InboxEntry): void {
    announce(t(entry.isUrgent ? 'inbox.announceUrgent' : 'inbox.announce', { app: entry.app, title: entry.title }))
    // An urgent one has the bar.
    if (entry.isUrgent || route.name === 'inbox') return
    const to = entry.room === null ? '/meldungen' : roomPath(entry.room)
    toasts.show({ title: entry.title, text: short(entry.body || entry.app), to, tone: 'neutral' })
  }

  function message(event: NewMessageEvent): void {
    announce(t('chat.announce', { name: event.sender_display_name, text: short(event.body) }))
    if (settings.values.messageSound && !isOpen(event.room_id)) sounds.play('message')
    if (isOpen(event.room_id) || rooms.all.get(event.room_id)?.room_type !== 'dm') return
    toasts.show({ title: event.sender_display_name, text: short(event.body), to: roomPath(event.room_id), tone: 'neutral' })
  }

  const mustSound = () => settings.values.urgentSound && inbox.urgent.length > 0
  watch(
    mustSound,
    (must) => {
      if (timer !== null) clearInterval(timer)
      timer = null
      if (!must) return
      sounds.play('urgent')
      timer = setInterval(() => sounds.play('urgent'), URGENT_PAUSE)
    },
    { immediate: true },
  )
  watch(() => inbox.urgent.length, (count, before) => count > before && before > 0 && mustSound() && sounds.play('urgent'))
  onScopeDispose(() => {
    if (timer !== null) clearInterval(timer)
    sounds.close()
  })

  return { notification, message, isSoundBlocked: sounds.isBlocked, unlock: () => sounds.unlock() }
}
