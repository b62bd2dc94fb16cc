// Messages between tabs, and to the worker, with the one event stream.
import type { State } from 'hub-messenger'
import type { StreamedEvent } from '@/api/types'

export type FeedState = State

/** The messages of a tab to the owner of the stream. */
export type ToSource =
  | { kind: 'hello'; base: string; token: string; lastEventId: string | null }
  | { kind: 'renew'; token: string }
  | { kind: 'bye' }

/** The messages of the owner of the stream to all tabs. */
export type FromSource =
  | { kind: 'event'; event: StreamedEvent; id: string | null }
  | { kind: 'state'; state: FeedState }
  | { kind: 'position'; id: string }

/** A subscription to the feed, through a worker, another tab or this tab. */
export interface Feed {
  /** Connects at once with this token, after a new sign-in. */
  renew(token: string): void
  close(): void
}

export interface FeedListener {
  onEvent(event: StreamedEvent, id: string | null): void
  onState(state: FeedState): void
  /** The position at which a stream began, so that the next start resumes there even without events. */
  onPosition(id: string): void
}

export interface FeedOptions extends FeedListener {
  /** The user and tenant: each has a stream of its own. */
  key: string
  base: string
  token: string
  lastEventId: string | null
}

/** Passes a message of the stream's owner to a listener. */
export function hand(message: FromSource, listener: FeedListener): void {
  if (message.kind === 'state') listener.onState(message.state)
  else if (message.kind === 'position') listener.onPosition(message.id)
  else listener.onEvent(message.event, message.id)
}

/** Returns a listener that makes messages for tabs. */
export function publisher(publish: (message: FromSource) => void): FeedListener {
  return {
    onEvent: (event, id) => publish({ kind: 'event', event, id }),
    onPosition: (id) => publish({ kind: 'position', id }),
    onState: (state) => publish({ kind: 'state', state }),
  }
}
