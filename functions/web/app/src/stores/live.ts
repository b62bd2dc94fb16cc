// The one place where events of the feed change the stores.
import { useThrottleFn } from '@vueuse/core'
import { defineStore } from 'pinia'
import { ref } from 'vue'
import { base } from '@/platform/address'
import type { Alarm, AlarmEvent, NewMessageEvent, NotificationEvent, StreamedEvent } from '@/api/types'
import { openFeed } from '@/feed/open'
import type { Feed, FeedState } from '@/feed/protocol'
import type { AlarmChange } from './alarm_rules'
import { useAlarms } from './alarms'
import { useConnection } from './connection'
import { useDrafts } from './drafts'
import { useInbox } from './inbox'
import type { InboxEntry } from './inbox_entries'
import { useOutbox } from './outbox'
import { useRedactions } from './redactions'
import { type LeftRoom, useRooms } from './rooms'
import { useSession } from './session'
import { useTimelines } from './timelines'
import { useTyping } from './typing'

/** The least time between two writes of the position, in milliseconds. */
const POSITION_PAUSE = 2_000

export interface LiveListeners {
  /** A notification that was not known here before. */
  notification(entry: InboxEntry): void
  /** A change of an alarm that people are told. */
  alarm(alarm: Alarm, change: AlarmChange): void
  message(event: NewMessageEvent): void
  roomLeft(room: string, left: LeftRoom): void
}

export const useLive = defineStore('live', () => {
  const session = useSession()
  const connection = useConnection()
  const rooms = useRooms()
  const timelines = useTimelines()
  const typing = useTyping()
  const inbox = useInbox()
  const alarms = useAlarms()
  const outbox = useOutbox()
  const drafts = useDrafts()
  const redactions = useRedactions()
  /** Events whose type this version does not know. */
  const unknownEvents = ref(0)
  let feed: Feed | null = null
  let listeners: LiveListeners | null = null
  /** Whether the feed begins with its first connection, which may be later than what was read here. */
  let beginsLate = false

  /** Begins with the stored data, then subscribes to the feed from the last position on. */
  async function start(subscriber: LiveListeners): Promise<void> {
    const { database, token, key } = session
    if (database === null || token === null) return
    listeners = subscriber
    await Promise.all([drafts.start(database), outbox.start(database, timelines.add)])
    const stored = await database.get('values', 'position')
    const lastEventId = typeof stored?.value === 'string' ? stored.value : null
    beginsLate = lastEventId === null
    feed = openFeed({ key, base, token, lastEventId, onEvent: apply, onState, onPosition: keepPosition })
    await Promise.all([rooms.load(), loadAlarms(inbox.start(database))])
  }

  function onState(state: FeedState): void {
    const wasUp = connection.isUp
    connection.set(state)
    if (state.name === 'unauthorized') void session.check()
    if (connection.isUp && !wasUp) {
      typing.clear()
      outbox.retryNow()
      inbox.tellNow()
      rooms.reportAgain()
      if (beginsLate) reset()
      beginsLate = false
    }
  }

  /** Ends the subscription after the sign-out. */
  function stop(): void {
    feed?.close()
    feed = listeners = null
  }

  /** Resumes after a new sign-in. */
  function renew(token: string): void {
    feed?.renew(token)
    outbox.retryNow()
  }

  function apply(event: StreamedEvent, id: string | null): void {
    const own = session.me?.matrix_user_id ?? ''
    rooms.apply(event, own, session.me?.hub_user_id)
    timelines.apply(event, own)
    switch (event.type) {
      case 'new_message':
        applyMessage(event, own)
        break
      case 'notification':
        applyNotification(event)
        break
      case 'alarm':
        applyAlarm(event)
        break
      case 'typing':
        return typing.apply(event, own)
      case 'room_left':
        listeners?.roomLeft(event.room_id, rooms.left.get(event.room_id) ?? { name: '', isClosed: false })
        break
      case 'notification_sent':
        timelines.notificationSent(event)
        inbox.sent(event)
        break
      case 'inbox_read':
        inbox.applyRead(event)
        break
      case 'reset':
        reset()
        break
      case 'message_redacted':
        redactions.add(event.event_id)
        drafts.redacted(event.room_id, event.event_id)
        break
      case 'message_edited':
      case 'reaction':
      case 'room_joined':
      case 'unread':
      case 'room_muted':
      case 'role_changed':
      case 'access_withdrawn':
        break
      default:
        unknownEvents.value += 1
        return
    }
    keepPosition(id)
  }

  function applyMessage(event: NewMessageEvent, own: string): void {
    if (event.redacted) return
    typing.stop(event.room_id, event.sender)
    if (event.sender === own) outbox.matchEcho(event)
    else listeners?.message(event)
  }

  function applyNotification(event: NotificationEvent): void {
    const entry = inbox.add(event)
    if (entry === null) return
    timelines.addNotification(event, session.config?.bot_user_id ?? '')
    const alarm = alarms.ofEntry(entry)
    if (alarm !== undefined) timelines.alarmChanged(alarm)
    listeners?.notification(entry)
  }

  function applyAlarm(event: AlarmEvent): void {
    const change = alarms.apply(event)
    timelines.alarmChanged(event.alarm)
    if (change !== null) listeners?.alarm(event.alarm, change)
  }

  /** Reads the open alarms, and those that are over if one of them may be that of an unseen urgent notification. */
  async function loadAlarms(notifications: Promise<void>): Promise<void> {
    await Promise.all([notifications, alarms.load()])
    if (inbox.urgent.some((entry) => alarms.ofEntry(entry) === undefined)) await alarms.loadLatest()
  }

  /** Reads all data again after missed events. Drafts, the outbox and the place stay. */
  function reset(): void {
    timelines.reset()
    void rooms.load()
    void loadAlarms(inbox.load())
  }

  let position: string | null = null
  const storePosition = useThrottleFn(() => session.database?.put('values', { key: 'position', value: position }), POSITION_PAUSE, true)
  /** Stores the position of this machine. */
  function keepPosition(id: string | null): void {
    if (id === null) return
    position = id
    void storePosition()
  }

  return { unknownEvents, start, stop, renew }
})
