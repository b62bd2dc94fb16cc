// Messages between a tab and the worker with the one event stream.
import type { State } from 'hub-messenger'
import type { StreamedEvent } from '@/api/types'

export type FeedState = State

/** A tab to the worker. */
export type ToWorker =
  | { kind: 'hello'; base: string; token: string; lastEventId: string | null }
  | { kind: 'token'; token: string }
  | { kind: 'reconnect' }
  | { kind: 'bye' }

/** The worker to its tabs. */
export type FromWorker =
  | { kind: 'event'; event: StreamedEvent; id: string | null }
  | { kind: 'state'; state: FeedState }
  | { kind: 'position'; id: string }

/** A subscription to the feed, by whichever way. */
export interface Feed {
  setToken(token: string): void
  reconnect(): void
  close(): void
}

export interface FeedOptions {
  /** The user and tenant: each has a worker of its own. */
  key: string
  base: string
  token: string
  lastEventId: string | null
  onEvent(event: StreamedEvent, id: string | null): void
  onState(state: FeedState): void
  /** The position at which a stream began, so that the next start resumes there though nothing has happened. */
  onPosition(id: string): void
}
