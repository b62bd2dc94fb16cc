// Opens the feed: by the shared worker if the browser has one, else by one tab for all, else in this tab.
import { scriptUrl } from '@/platform/trusted'
import { lead } from './leader'
import { type Feed, type FeedOptions, type FromSource, hand, type ToSource } from './protocol'
import { subscribe } from './subscription'
import workerUrl from './worker?sharedworker&url'

export function openFeed(options: FeedOptions): Feed {
  if (typeof SharedWorker !== 'undefined') return openShared(options)
  return typeof BroadcastChannel === 'undefined' ? subscribe(options) : openLed(options)
}

function openShared(options: FeedOptions): Feed {
  const address = new URL(workerUrl, document.baseURI)
  const worker = new SharedWorker(scriptUrl(address), { type: 'module', name: `feed ${options.key}` })
  const send = (message: ToSource) => worker.port.postMessage(message)
  worker.port.onmessage = ({ data }: MessageEvent<FromSource>) => hand(data, options)
  const { base, token, lastEventId } = options
  const release = onPageEnd(() => send({ kind: 'bye' }))
  send({ kind: 'hello', base, token, lastEventId })
  return {
    renew: (value) => send({ kind: 'renew', token: value }),
    close() {
      release()
      send({ kind: 'bye' })
      worker.port.close()
    },
  }
}

function openLed(options: FeedOptions): Feed {
  const feed = lead(options, new BroadcastChannel(`messenger.feed ${options.key}`), subscribe)
  const release = onPageEnd(() => feed.close())
  return {
    renew: feed.renew,
    close() {
      release()
      feed.close()
    },
  }
}

/** Calls a function when the page is left. A page from the back-forward cache starts like a new one. */
function onPageEnd(act: () => void): () => void {
  const onShow = (event: PageTransitionEvent) => {
    if (!event.persisted) return
    // Without a network, nothing would be left of the page.
    if (navigator.onLine) location.reload()
    else addEventListener('online', () => location.reload(), { once: true })
  }
  addEventListener('pagehide', act)
  addEventListener('pageshow', onShow)
  return () => {
    removeEventListener('pagehide', act)
    removeEventListener('pageshow', onShow)
  }
}
