// Sends the typing state of the user: at the beginning, every 25 seconds, and at the end.
import { onScopeDispose } from 'vue'
import { setTyping } from '@/api/calls'

/** The time after which it is sent again, and the pause in typing that ends it, in milliseconds. */
const AGAIN = 25_000
const SILENCE = 8_000

export function useTypingSignal(room: string) {
  let saidAt = 0
  let silence: ReturnType<typeof setTimeout> | null = null

  // A failure is ignored: typing notifications may be lost.
  const say = (isTyping: boolean) => void setTyping(room, isTyping).catch(() => null)

  function typed(isTyping: boolean): void {
    if (silence !== null) clearTimeout(silence)
    silence = isTyping ? setTimeout(() => typed(false), SILENCE) : null
    if (isTyping && Date.now() - saidAt >= AGAIN) {
      saidAt = Date.now()
      say(true)
    } else if (!isTyping && saidAt > 0) {
      saidAt = 0
      say(false)
    }
  }

  onScopeDispose(() => typed(false))
  return { typed }
}
