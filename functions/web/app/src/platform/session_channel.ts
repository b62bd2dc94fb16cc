// The channel by which tabs of a browser report sign-ins and sign-outs, and pass their token to a new tab.
import { randomId } from './ids'

/** The longest wait for another tab, in milliseconds. */
const WAIT = 400

interface Signed {
  token: string
  /** Tenant and id of the user. */
  user: string
}

type Words =
  | { kind: 'ask'; from: string }
  | { kind: 'answer'; to: string; token: string }
  | ({ kind: 'signed-in' } & Signed)
  | { kind: 'signed-out'; user: string }

interface SessionListener {
  current(): Signed | null
  onSignedIn(signed: Signed): void
  onSignedOut(user: string): void
}

export interface SessionChannel {
  /** Returns the token of another tab; `null` if none answers. */
  ask(): Promise<string | null>
  signedIn(signed: Signed): void
  signedOut(user: string): void
}

export function openSessionChannel(listeners: SessionListener): SessionChannel {
  const channel = new BroadcastChannel('messenger.session')
  const self = randomId()
  let answer: (token: string) => void = () => {}
  channel.onmessage = ({ data }: MessageEvent<Words>) => {
    if (data.kind === 'signed-in') listeners.onSignedIn(data)
    else if (data.kind === 'signed-out') listeners.onSignedOut(data.user)
    else if (data.kind === 'answer') {
      if (data.to === self) answer(data.token)
    } else {
      const signed = listeners.current()
      if (signed !== null) send({ kind: 'answer', to: data.from, token: signed.token })
    }
  }
  const send = (words: Words) => channel.postMessage(words)
  return {
    ask: () =>
      new Promise((resolve) => {
        answer = resolve
        setTimeout(() => resolve(null), WAIT)
        send({ kind: 'ask', from: self })
      }),
    signedIn: (signed) => send({ kind: 'signed-in', ...signed }),
    signedOut: (user) => send({ kind: 'signed-out', user }),
  }
}
