// The calls about alarms, one function each.
import { ask, client } from './client'
import type { Alarm, AlarmJournalEntry } from './types'

/** The longest wait for the answer to an act, in milliseconds: the user sees at once that it has no effect yet. */
const TIMEOUT = 20_000

export interface AlarmQuery {
  state?: 'open' | 'unack' | 'closed'
  cursor?: string
  limit?: number
}
export interface AlarmPage {
  /** The latest beginning first. */
  alarms: Alarm[]
  next_cursor: string | null
}
export interface AlarmJournal {
  /** The newest first. */
  entries: AlarmJournalEntry[]
  next_cursor: string | null
}
export type AlarmActKind = 'ack' | 'unack' | 'resolve' | 'comment'
export interface AlarmAct {
  kind: AlarmActKind
  /** The episode that the user saw: an act on an earlier one is refused. */
  episode: number
  comment: string | null
}
export interface AlarmAfterAct {
  alarm: Alarm
  /** Whether the act has changed it. */
  changed: boolean
}

/** The client for these paths. */
type Call<T> = Promise<{ data?: T; error?: unknown; response: Response }>
interface Client {
  GET<T>(path: string, init: object): Call<T>
  POST<T>(path: string, init: object): Call<T>
}
const { GET, POST } = client as unknown as Client

export const alarms = (query: AlarmQuery): Promise<AlarmPage> => ask(GET<AlarmPage>('/api/v1/alarms', { params: { query } }))
export const alarm = (id: number): Promise<Alarm> => ask(GET<Alarm>('/api/v1/alarms/{id}', { params: { path: { id } } }))
export const alarmJournal = (id: number, cursor: string | null): Promise<AlarmJournal> =>
  ask(GET<AlarmJournal>('/api/v1/alarms/{id}/journal', { params: { path: { id }, query: cursor === null ? {} : { cursor } } }))
export const actOnAlarm = (id: number, { kind, episode, comment }: AlarmAct): Promise<AlarmAfterAct> =>
  ask(
    POST<AlarmAfterAct>(`/api/v1/alarms/{id}/${kind}`, {
      params: { path: { id } },
      body: { episode, ...(comment === null ? {} : { comment }) },
      signal: AbortSignal.timeout(TIMEOUT),
    }),
  )
