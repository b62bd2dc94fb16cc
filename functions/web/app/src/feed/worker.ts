// The shared worker: one event stream for all tabs of a user. The browser ends it with the last tab.
import { type Feed, type FromSource, publisher, type ToSource } from './protocol'
import { subscribe } from './subscription'

const ports = new Set<MessagePort>()
let feed: Feed | null = null
let state: FromSource | null = null
let token = ''

function publish(message: FromSource): void {
  if (message.kind === 'state') state = message
  for (const port of ports) port.postMessage(message)
}

/** Ends the stream: the last tab has gone, or its user has signed out. */
function close(): void {
  feed?.close()
  feed = state = null
}

function renew(value: string): void {
  token = value
  feed?.renew(value)
}

function receive(port: MessagePort, message: ToSource): void {
  if (message.kind === 'bye') {
    ports.delete(port)
    if (ports.size === 0) close()
    return
  }
  if (message.kind === 'renew') return renew(message.token)
  ports.add(port)
  if (feed === null) {
    token = message.token
    feed = subscribe({ ...message, ...publisher(publish) })
    return
  }
  if (message.token !== token) renew(message.token)
  if (state !== null) port.postMessage(state)
}

addEventListener('connect', (event) => {
  const [port] = (event as MessageEvent).ports
  if (port === undefined) return
  port.onmessage = ({ data }: MessageEvent<ToSource>) => receive(port, data)
})
