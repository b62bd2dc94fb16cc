// The subscription with hub-messenger.js, which does order, deduplication, resuming, polling and backoff.
import { HubMessenger } from 'hub-messenger'
import type { StreamedEvent } from '@/api/types'
import type { Feed, FeedOptions } from './protocol'

/** The longest silence of a stream, in milliseconds: the service sends a keepalive each 20 seconds at least. */
const SILENCE = 42_000

/** Opens a subscription in this process: a worker, or a tab that has the stream. */
export function subscribe(options: Omit<FeedOptions, 'key'>): Feed {
  let token = options.token
  const messenger = new HubMessenger({
    url: options.base,
    // A refused token is not renewed here: the tab asks the user to sign in, and sends the next one.
    getToken: () => token,
    lastEventId: options.lastEventId,
    silenceTimeout: SILENCE,
    onEvent: (event, id) => options.onEvent(event as unknown as StreamedEvent, id),
    onState: (state) => {
      options.onState(state)
      // The first bytes of a stream hold its position; they are read right after this.
      if (state.name === 'live') setTimeout(reportPosition, 0)
    },
  })
  function reportPosition(): void {
    if (messenger.lastEventId !== null) options.onPosition(messenger.lastEventId)
  }
  return {
    renew(value) {
      token = value
      messenger.reconnect()
    },
    close: () => messenger.close(),
  }
}
