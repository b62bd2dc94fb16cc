// Toast, sound, announcement, and notification of the operating system, for a new notification or message.
import { computed, onScopeDispose, watch } from 'vue'
import { useI18n } from 'vue-i18n'
import { useRoute, useRouter } from 'vue-router'
import type { Alarm, NewMessageEvent } from '@/api/types'
import { showNotification } from '@/platform/os_notifications'
import { SoundPlayer } from '@/platform/sound'
import { roomPath } from '@/router/paths'
import type { AlarmChange } from '@/stores/alarm_rules'
import { useAlarms } from '@/stores/alarms'
import type { InboxEntry } from '@/stores/inbox_entries'
import { isMentioning, useRooms } from '@/stores/rooms'
import { useSession } from '@/stores/session'
import { useSettings } from '@/stores/settings'
import { previewOf } from '@/stores/texts'
import { useToasts } from '@/stores/toasts'
import { useUrgent } from '@/stores/urgent'
import { useActFailureText } from './act_failure_text'

/** The pause between two sounds of an unseen urgent notification, in milliseconds. */
const URGENT_PAUSE = 8_000
/** The path of the open alarms. */
const ALARMS = '/meldungen?status=stoerungen'
/** Characters of a message that a toast shows. */
const SHOWN = 140

export function useAlerts(announce: (text: string) => void) {
  const { t } = useI18n()
  const route = useRoute()
  const router = useRouter()
  const toasts = useToasts()
  const rooms = useRooms()
  const alarms = useAlarms()
  const urgent = useUrgent()
  const actFailureText = useActFailureText()
  const settings = useSettings()
  const session = useSession()
  const sounds = new SoundPlayer()
  let timer: ReturnType<typeof setInterval> | null = null

  const isOpen = (room: string | null) => room !== null && rooms.readRoom === room
  const short = (text: string) => (text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text)

  /** Shows it outside of the page, unless the page is in front. */
  function showOutside(tag: string, title: string, body: string, to: string, isUrgent: boolean): void {
    if (!settings.values.osNotifications || document.hasFocus()) return
    showNotification({ title, body: short(body), tag, isUrgent }, () => void router.push(to))
  }

  function notification(entry: InboxEntry): void {
    announce(t(entry.isUrgent ? 'inbox.announceUrgent' : 'inbox.announce', { app: entry.app, title: entry.title }))
    const to = entry.alarm !== null ? ALARMS : entry.room !== null && rooms.all.has(entry.room) ? roomPath(entry.room) : '/meldungen'
    showOutside(`notification ${entry.id}`, entry.title, entry.body || entry.app, to, entry.isUrgent)
    // The bar already shows an urgent one.
    if (entry.isUrgent || route.name === 'inbox') return
    toasts.show({ title: entry.title, text: short(entry.body || entry.app), to, tone: 'neutral' })
  }

  /** A risen priority calls people, as a new notification does. All other changes only tell readers of the screen. */
  function alarm(changed: Alarm, change: AlarmChange): void {
    const by = change === 'acked' ? changed.acked_by?.display_name : changed.cleared?.display_name
    announce(t(`alarm.announce.${change}`, { title: changed.title, name: by ?? changed.source_app, priority: t(`alarm.priority.${changed.priority}`) }))
    if (change !== 'raised') return
    showOutside(`alarm ${changed.id}`, changed.title, changed.body ?? changed.source_app, ALARMS, changed.priority === 'urgent')
  }

  function message(event: NewMessageEvent): void {
    const text = short(previewOf(event.body))
    const room = rooms.all.get(event.room_id)
    const isForMe = room?.room_type === 'dm' || isMentioning(event, session.me?.hub_user_id ?? '')
    if (room?.muted && !isForMe) return
    announce(t('chat.announce', { name: event.sender_display_name, text }))
    if (settings.values.messageSound && !isOpen(event.room_id)) sounds.play('message')
    if (!isForMe || (room?.muted && room.room_type === 'dm')) return
    showOutside(event.event_id, event.sender_display_name, text, roomPath(event.room_id), false)
    if (isOpen(event.room_id)) return
    toasts.show({ title: event.sender_display_name, text, to: roomPath(event.room_id), tone: 'neutral' })
  }

  // A failed act is shown with its alarm; on any other page a toast leads there.
  watch(
    () => alarms.acts,
    (acts, before) => {
      if (route.name === 'inbox') return
      for (const [id, act] of acts) {
        const hasFailed = act.failure !== null && before.get(id)?.failure === null
        if (!hasFailed || urgent.all.some((one) => one.alarm?.id === id)) continue
        toasts.show({ title: alarms.all.get(id)?.title ?? '', text: actFailureText(act), to: ALARMS, tone: 'danger' })
      }
    },
  )

  const loud = computed(() => urgent.all.filter(({ isLoud }) => isLoud).length)
  const mustSound = () => settings.values.urgentSound && loud.value > 0
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
  watch(loud, (count, before) => count > before && before > 0 && mustSound() && sounds.play('urgent'))
  onScopeDispose(() => {
    if (timer !== null) clearInterval(timer)
    sounds.close()
  })

  return { notification, alarm, message, isSoundBlocked: sounds.isBlocked, unlock: () => sounds.unlock() }
}
