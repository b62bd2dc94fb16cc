// The text of a message without what older clients repeat of the message that it replies to.
import type { Row } from '@/stores/timeline'

const REPEATED = /^(> .*\n)+\n?/

/** Returns the text as it is shown. */
export function shownText({ body, reply_to }: Pick<Row, 'body' | 'reply_to'>): string {
  return reply_to !== null && body.startsWith('> <') ? body.replace(REPEATED, '') : body
}
