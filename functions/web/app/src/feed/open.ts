// Opens the feed: by the shared worker if the browser has one, else in this tab.
import { scriptUrl } from '@/platform/trusted'
import type { Feed, FeedOptions, FromWorker, ToWorker } from './protocol'
import { subscribe } from './subscription'
import workerUrl from './worker?sharedworker&url'

export function openFeed(options: FeedOptions): Feed {
  return typeof SharedWorker === 'undefined' ? subscribe(options) : openShared(options)
}

function openShared(options: FeedOptions): Feed {
  const address = new URL(workerUrl, document.baseURI)
  const worker = new SharedWorker(scriptUrl(address), { type: 'module', name: `feed ${options.key}` })
  const send = (message: ToWorker) => worker.port.postMessage(message)
  const hello = () => {
    const { base, token, lastEventId } = options
    send({ kind: 'hello', base, token, lastEventId })
  }
  worker.port.onmessage = ({ data }: MessageEvent<FromWorker>) => {
    if (data.kind === 'state') options.onState(data.state)
    else if (data.kind === 'position') options.onPosition(data.id)
    else options.onEvent(data.event, data.id)
  }
  const bye = () => send({ kind: 'bye' })
  // A page that the browser keeps for "back" gets no events meanwhile: it comes again as a new tab does.
  const onShow = (event: PageTransitionEvent) => {
    if (event.persisted) location.reload()
  }
  addEventListener('pagehide', bye)
  addEventListener('pageshow', onShow)
  hello()
  return {
    setToken(token) {
      options.token = token
      send({ kind: 'token', token })
    },
    reconnect: () => send({ kind: 'reconnect' }),
    close() {
      removeEventListener('pagehide', bye)
      removeEventListener('pageshow', onShow)
      bye()
      worker.port.close()
    },
  }
}
