// The records that outlive a tab.

/** The content of the composer of a room. */
export interface Draft {
  readonly text: string
  readonly files: readonly { readonly id: string; readonly file: File }[]
  /** The message that it replies to. Its text is not stored: it may be deleted at any time. */
  readonly reply: { readonly eventId: string } | null
  /** The mentioned members, as far as their names stand in the text. */
  readonly mentions: readonly Mention[]
  /** The new text of an older message, which is edited in its place. */
  readonly edit: { readonly eventId: string; readonly text: string } | null
}

export interface Mention {
  /** The id of a user; `null` for all members. */
  readonly id: string | null
  /** The text of the mention, with its @. */
  readonly text: string
}

export const NO_DRAFT: Draft = { text: '', files: [], reply: null, mentions: [], edit: null }

/** A text or a file in the outbox. It stays until the service has answered with its message. */
export interface OutboxEntry {
  txnId: string
  room: string
  /** The text; empty for a file. */
  body: string
  file: File | null
  replyTo?: string | undefined
  mentions?: { hub_user_ids: string[]; room: boolean } | undefined
  /** The mentions as they were chosen, for a text that goes back into the composer. */
  chosen?: readonly Mention[] | undefined
  /** Milliseconds at the server: the order within a room. */
  createdAt: number
  state: OutboxState
  /** The code of the refusal of a `failed` entry. */
  code: string | null
  detail: string | null
}

/**
 * `sending`: a request is in flight. `waiting`: it was not sent, the next attempt follows. `unknown`: a request broke
 * off, and it may have arrived; the next attempt repeats it. `failed`: the service refused it.
 */
type OutboxState = 'sending' | 'waiting' | 'unknown' | 'failed'
