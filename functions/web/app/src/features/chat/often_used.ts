// The emoji that were used last in this tab. They are not stored for the next person at the machine.
import { tab } from '@/platform/storage'

const KEY = 'messenger.emoji'
const KEPT = 18
/** The keys that are offered before any was used. */
const FIRST = ['👍', '✅', '👀', '❤️', '😄', '🙏']

/** Returns the emoji that were used last, newest first. */
export function oftenUsed(): readonly string[] {
  const used = (tab.get(KEY) ?? '').split(' ').filter((key) => key !== '')
  return [...used, ...FIRST.filter((key) => !used.includes(key))]
}

export function remember(key: string): void {
  const used = oftenUsed().filter((other) => other !== key)
  tab.set(KEY, [key, ...used].slice(0, KEPT).join(' '))
}
