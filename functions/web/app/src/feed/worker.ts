// The shared worker: one event stream for all tabs of a user. The browser ends it with the last tab.
import type { Feed, FromWorker, ToWorker } from './protocol'
import { subscribe } from './subscription'

const ports = new Set<MessagePort>()
let feed: Feed | null = null
let state: FromWorker | null = null

function publish(message: FromWorker): void {
  for (const port of ports) port.postMessage(message)
}

/** Ends the stream: the last tab has gone, or its user has signed out. */
function close(): void {
  feed?.close()
  feed = state = null
}

function receive(port: MessagePort, message: ToWorker): void {
  if (message.kind === 'bye') {
    ports.delete(port)
    if (ports.size === 0) close()
    return
  }
  if (message.kind === 'reconnect') return feed?.reconnect()
  if (message.kind === 'token') return feed?.setToken(message.token)
  ports.add(port)
  if (feed === null) {
    feed = subscribe({
      ...message,
      onEvent: (event, id) => publish({ kind: 'event', event, id }),
      onPosition: (id) => publish({ kind: 'position', id }),
      onState: (next) => publish((state = { kind: 'state', state: next })),
    })
    return
  }
  feed.setToken(message.token)
  if (state !== null) port.postMessage(state)
}

addEventListener('connect', (event) => {
  const [port] = (event as MessageEvent).ports
  if (port === undefined) return
  port.onmessage = ({ data }: MessageEvent<ToWorker>) => receive(port, data)
})
