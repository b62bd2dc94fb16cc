// The polite live region for screen readers: announces a new message once, and many messages as a number.
import { onScopeDispose, ref } from 'vue'

/** The time in which messages are collected, in milliseconds. */
const GATHER = 1_500

export function useAnnouncer(summary: (count: number) => string) {
  const text = ref('')
  let waiting: string[] = []
  let timer: ReturnType<typeof setTimeout> | null = null

  function announce(line: string): void {
    waiting.push(line)
    timer ??= setTimeout(() => {
      timer = null
      text.value = waiting.length > 2 ? summary(waiting.length) : waiting.join(' ')
      waiting = []
    }, GATHER)
  }

  onScopeDispose(() => timer !== null && clearTimeout(timer))
  return { text, announce }
}
