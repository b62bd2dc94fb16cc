// The alarms of the tenant, live and from the service, and the acts of this user on them.
import { defineStore } from 'pinia'
import { computed, ref, shallowRef } from 'vue'
import { actOnAlarm, alarm as fetchAlarm, type AlarmAct, type AlarmActKind, alarms as fetchAlarms, type AlarmQuery } from '@/api/alarms'
import { ApiError, type Failure, failureOf, NoAnswer } from '@/api/problem'
import type { Alarm, AlarmEvent } from '@/api/types'
import { serverNow } from '@/platform/clock'
import { afterAct, type AlarmChange, type Alarms, changeOf, compareAlarms, isDone, isOfEpisode, isOpen, KEPT, withAlarms, withOpen } from './alarm_rules'
import { useInbox } from './inbox'
import type { InboxEntry } from './inbox_entries'
import { useSession } from './session'

const PAGE = 200

/** An act that has not succeeded: it is in flight, or it has failed. */
export interface PendingAct extends AlarmAct {
  /** `null` while it is in flight. */
  readonly failure: Failure | null
}

export const useAlarms = defineStore('alarms', () => {
  const session = useSession()
  const inbox = useInbox()
  const stored = shallowRef<Alarms>(new Map())
  /** By alarm: the user waits for one act before the next. */
  const acts = shallowRef<ReadonlyMap<number, PendingAct>>(new Map())
  /** Whether the service has alarms: an older one has none. */
  const isSupported = ref(true)
  const isLoaded = ref(false)
  const failure = shallowRef<Failure | null>(null)
  /** Whether the latest alarms are wanted, also those that are over. */
  let hasLatest = false
  let request = Symbol('list')

  /** The alarms as the user sees them: an act in flight has its effect here at once. */
  const all = computed<Alarms>(() => {
    if (acts.value.size === 0) return stored.value
    const by = { hub_user_id: session.me?.hub_user_id ?? null, display_name: session.me?.display_name ?? '' }
    const at = new Date(serverNow()).toISOString()
    const shown = new Map(stored.value)
    for (const [id, act] of acts.value) {
      const alarm = shown.get(id)
      if (alarm !== undefined && act.failure === null && alarm.episode === act.episode) shown.set(id, afterAct(alarm, act, by, at))
    }
    return shown
  })
  /** The open ones; one that this user closes stays until the service has answered. */
  const open = computed(() => [...all.value.values()].filter((alarm) => isOpen(alarm) || isBusy(alarm.id)).toSorted(compareAlarms))
  const byNotification = computed(() => new Map([...all.value.values()].map(({ id, notification_id }) => [notification_id, id])))

  /** Reads all open alarms, and the latest ones if they are wanted. */
  async function load(): Promise<void> {
    const current = (request = Symbol('list'))
    const known = stored.value
    try {
      const [list, latest] = await Promise.all([pages({ state: 'open' }), hasLatest ? fetchAlarms({ limit: PAGE }) : null])
      if (request !== current) return
      put(withOpen(stored.value, list, known))
      put(withAlarms(stored.value, latest?.alarms ?? []))
      isSupported.value = isLoaded.value = true
      failure.value = null
    } catch (thrown) {
      const refusal = failureOf(thrown)
      if (request !== current) return
      isSupported.value = !(refusal instanceof ApiError && refusal.status === 404)
      failure.value = isSupported.value ? refusal : null
    }
  }

  /** Reads all pages of a list, as far as alarms are kept. */
  async function pages(query: AlarmQuery): Promise<Alarm[]> {
    let page = await fetchAlarms({ ...query, limit: PAGE })
    const list = page.alarms
    while (page.next_cursor !== null && list.length < KEPT) {
      page = await fetchAlarms({ ...query, limit: PAGE, cursor: page.next_cursor })
      list.push(...page.alarms)
    }
    return list
  }

  /** Reads the latest alarms, too, from now on: a list of notifications shows how theirs have ended. */
  async function loadLatest(): Promise<void> {
    if (hasLatest || !isSupported.value) return
    hasLatest = true
    try {
      const { alarms } = await fetchAlarms({ limit: PAGE })
      put(withAlarms(stored.value, alarms))
    } catch (thrown) {
      // Without them, their notifications stand for themselves. The open ones have a failure of their own.
      failureOf(thrown)
    }
  }

  /** Reads one alarm. */
  async function refresh(id: number): Promise<void> {
    put(withAlarms(stored.value, [await fetchAlarm(id)]))
  }

  function put(next: Alarms): void {
    stored.value = next
    // What somebody else has done by now needs no further attempt; a refusal stays for its reader.
    const left = [...acts.value].filter(([id, act]) => {
      const alarm = next.get(id)
      return alarm === undefined || !isRepeatable(act.failure) || !isDone(alarm, act)
    })
    if (left.length < acts.value.size) acts.value = new Map(left)
  }

  /** Applies an event. Returns the change that people are told, if it is one. */
  function apply({ alarm }: AlarmEvent): AlarmChange | null {
    const before = stored.value.get(alarm.id)
    if (before !== undefined && before.revision >= alarm.revision) return null
    put(withAlarms(stored.value, [alarm]))
    return before === undefined ? null : changeOf(before, alarm)
  }

  /** Returns the alarm of a notification, if it is of the newest episode. */
  function ofEntry(entry: InboxEntry): Alarm | undefined {
    const alarm = all.value.get(entry.alarm ?? byNotification.value.get(entry.id) ?? -1)
    return alarm !== undefined && isOfEpisode(entry, alarm) ? alarm : undefined
  }

  /** Returns the alarm whose episode began with a notification. */
  const ofNotification = (id: number | null | undefined): Alarm | undefined => all.value.get(byNotification.value.get(id ?? -1) ?? -1)

  function setAct(id: number, act: PendingAct | null): void {
    const next = new Map(acts.value)
    if (act === null) next.delete(id)
    else next.set(id, act)
    acts.value = next
  }

  const isBusy = (id: number): boolean => acts.value.get(id)?.failure === null

  /** Acts on the episode that the user sees. The effect is shown at once, and taken back if the act fails. */
  async function act({ id, episode }: Alarm, kind: Exclude<AlarmActKind, 'comment'>): Promise<void> {
    if (isBusy(id)) return
    await send(id, { kind, episode, comment: null })
  }

  async function send(id: number, given: AlarmAct): Promise<void> {
    setAct(id, { ...given, failure: null })
    try {
      const { alarm } = await actOnAlarm(id, given)
      setAct(id, null)
      put(withAlarms(stored.value, [alarm]))
      markRead(id)
    } catch (thrown) {
      const refusal = failureOf(thrown)
      setAct(id, { ...given, failure: refusal })
      put(stored.value)
      if (refusal instanceof ApiError && refusal.status === 409) await refresh(id).catch(() => null)
    }
  }

  /** Sends a failed act again. */
  async function retry(id: number): Promise<void> {
    const failed = acts.value.get(id)
    if (failed !== undefined && failed.failure !== null) await send(id, failed)
  }

  /** Removes a failed act. */
  const dismiss = (id: number): void => setAct(id, null)

  /** Adds a comment. Throws a `Failure`: the text stays in its field then. */
  async function comment({ id, episode }: Alarm, text: string): Promise<void> {
    const { alarm } = await actOnAlarm(id, { kind: 'comment', episode, comment: text })
    put(withAlarms(stored.value, [alarm]))
    markRead(id)
  }

  /** Marks the notifications of an alarm as seen: an act on it shows that they were. */
  function markRead(id: number): void {
    inbox.markRead(inbox.entries.filter((entry) => !entry.isRead && ofEntry(entry)?.id === id).map((entry) => entry.id))
  }

  return { all, open, acts, isSupported, isLoaded, failure, load, loadLatest, refresh, apply, ofEntry, ofNotification, isBusy, act, retry, dismiss, comment }
})

/** Returns whether the same act may succeed later, also after a new sign-in. */
export const isRepeatable = (failure: Failure | null): boolean => failure instanceof NoAnswer || (failure instanceof ApiError && (failure.isTemporary || failure.status === 401))
