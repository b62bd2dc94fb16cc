// In a browser without shared workers, one tab has the stream for all. The others check now and then that it
// is there: messages wake a tab in the background, timers do not, and a frozen tab does not answer.
import { randomId } from '@/platform/ids'
import { type Feed, type FeedOptions, type FromSource, hand, publisher } from './protocol'
import type { subscribe } from './subscription'

/** The pause between two checks, and the longest wait for an answer, in milliseconds. */
const TIMES = { ask: 5_000, answer: 2_000, claim: 300 }

/** A tab to all others. `term` counts the leaders: the highest one leads, of two the one with the lower id. */
type Words = { from: string; term: number } & (
  | { kind: 'ask' }
  | { kind: 'lead' }
  | { kind: 'claim' }
  | { kind: 'resign' }
  | { kind: 'renew'; token: string }
  | { kind: 'source'; message: FromSource }
)

export type Channel = Pick<BroadcastChannel, 'postMessage' | 'close' | 'onmessage'>

/** Subscribes to the feed through the leading tab, or as that tab. */
export function lead(options: FeedOptions, channel: Channel, open: typeof subscribe, times = TIMES): Feed {
  const self = randomId()
  let { token, lastEventId } = options
  let term = 0
  let feed: Feed | null = null
  let state: FromSource | null = null
  let claimed: number | null = null
  let timer: ReturnType<typeof setTimeout> | null = null

  type Said = Words extends infer W ? (W extends Words ? Omit<W, 'from' | 'term'> : never) : never
  const say = (words: Said, at = term) => channel.postMessage({ ...words, from: self, term: at })

  function after(milliseconds: number, act: () => void): void {
    if (timer !== null) clearTimeout(timer)
    timer = setTimeout(act, milliseconds)
  }

  /** Asks whether a tab leads; without an answer, this tab offers itself. */
  function ask(): void {
    say({ kind: 'ask' })
    after(times.answer, claim)
  }

  function claim(): void {
    claimed = term + 1
    say({ kind: 'claim' }, claimed)
    after(times.claim, () => {
      term = claimed ?? term
      claimed = null
      begin()
    })
  }

  function begin(): void {
    say({ kind: 'lead' })
    const listener = publisher((message) => {
      receive(message)
      say({ kind: 'source', message })
    })
    feed = open({ base: options.base, token, lastEventId, ...listener })
  }

  /** Another tab leads. */
  function follow(at: number): void {
    term = at
    claimed = null
    feed?.close()
    feed = null
    after(times.ask * (1 + Math.random() / 2), ask)
  }

  function receive(message: FromSource): void {
    if (message.kind === 'state') {
      if (state?.kind === 'state' && state.state.name === message.state.name && state.state.reason === message.state.reason) return
      state = message
    } else if (message.id !== null) lastEventId = message.id
    hand(message, options)
  }

  const outranks = (words: Words, at: number) => words.term > at || (words.term === at && words.from < self)

  function answer(words: Words): void {
    if (words.kind === 'ask' || words.kind === 'claim') {
      if (feed !== null) {
        say({ kind: 'lead' })
        if (state !== null) say({ kind: 'source', message: state })
      } else if (words.kind === 'claim' && claimed !== null && outranks(words, claimed)) follow(words.term)
    } else if (words.kind === 'renew') {
      token = words.token
      feed?.renew(token)
    } else if (words.kind === 'resign') {
      if (feed === null) claim()
    } else if (words.term >= term && (feed === null || outranks(words, term))) {
      follow(words.term)
      if (words.kind === 'source') receive(words.message)
    }
  }

  channel.onmessage = ({ data }: MessageEvent<Words>) => answer(data)
  ask()
  return {
    renew(value) {
      token = value
      feed?.renew(value)
      say({ kind: 'renew', token: value })
    },
    close() {
      if (timer !== null) clearTimeout(timer)
      const hasLed = feed !== null
      feed?.close()
      feed = null
      if (hasLed) say({ kind: 'resign' })
      channel.onmessage = null
      channel.close()
    },
  }
}
