// The reactions to a message: counts of the history, changed by live events.
import type { Message } from '@/api/types'

export interface Reaction {
  readonly key: string
  readonly count: number
  readonly isOwn: boolean
  /** The ids of live reactions, by which their redactions are recognised. */
  readonly ids: ReadonlySet<string>
  /** The id of the user's own reaction, if it is known. */
  readonly ownId?: string | undefined
}

/** Returns the reactions of a message from the history. */
export function reactionsOf(counted: Message['reactions']): Reaction[] {
  return counted.map(({ key, count, own_event }) => ({ key, count, isOwn: own_event, ids: new Set<string>() }))
}

/** Adds a reaction. A known one changes nothing; the user's own one counts once, and its id is stored. */
export function reacted(reactions: readonly Reaction[], key: string, id: string, isOwn: boolean): readonly Reaction[] {
  const at = reactions.findIndex((one) => one.key === key)
  const one = reactions[at]
  if (one === undefined) return [...reactions, { key, count: 1, isOwn, ids: new Set([id]), ownId: isOwn ? id : undefined }]
  if (one.ids.has(id)) return reactions
  const isCounted = isOwn && one.isOwn
  const ownId = isOwn ? id : one.ownId
  return reactions.with(at, { key, count: one.count + (isCounted ? 0 : 1), isOwn: one.isOwn || isOwn, ids: new Set([...one.ids, id]), ownId })
}

/** Removes a live reaction. */
export function withoutReaction(reactions: readonly Reaction[], id: string): readonly Reaction[] {
  return reactions.flatMap((one) => {
    if (!one.ids.has(id)) return one
    const ids = new Set([...one.ids].filter((other) => other !== id))
    const isOwn = one.isOwn && one.ownId !== id
    return one.count > 1 ? { ...one, count: one.count - 1, ids, isOwn } : []
  })
}

/** Removes the user's own reaction, or adds it before the service has answered. */
export function withOwn(reactions: readonly Reaction[], key: string, isOn: boolean): readonly Reaction[] {
  const at = reactions.findIndex((one) => one.key === key)
  const one = reactions[at]
  if (one === undefined) return isOn ? [...reactions, { key, count: 1, isOwn: true, ids: new Set<string>() }] : reactions
  if (one.isOwn === isOn) return reactions
  const count = one.count + (isOn ? 1 : -1)
  const ids = new Set([...one.ids].filter((id) => id !== one.ownId))
  return count > 0 ? reactions.with(at, { key, count, isOwn: isOn, ids }) : reactions.toSpliced(at, 1)
}
