// Parses the message of the bot for a notification: `❗ [app] title`, then the body. The message of an alarm has its
// state before and its counter behind: `❗ unquittiert · [app] title · 12× seit 08:14`.

export interface NotificationText {
  app: string
  title: string
  body: string
  /** Whether it is an urgent notification, or an alarm that needs somebody. */
  isUrgent: boolean
  /** The state of an alarm, and its counter with what follows; empty for a notification. */
  state: string
  counter: string
}

const FORM = /^(❗\uFE0F?\s*)?(?:([^[\n][^\n]{0,300}?) · )?\[([^\]\n]{1,100})\] ([^\n]*)\n*([\s\S]*)$/
/** The words with which the state of an alarm begins. */
const STATES = /^(?:unquittiert|aktiv|quittiert von |behoben|zurückgezogen |wieder aktiv|Priorität jetzt )/
const COUNTER = /^(.*) · ((?:[\d.]+× )?seit (?:\d\d\.\d\d\. )?\d\d:\d\d(?: · (?:quittiert von .*|seit über 24 h aktiv))?)$/

/** Returns the parts; `null` for a message of another form. */
export function notificationText(text: string): NotificationText | null {
  const found = FORM.exec(text)
  if (found === null) return null
  const [, mark, state = '', app = '', heading = '', body = ''] = found
  const parts = { app, body: body.trim(), isUrgent: mark !== undefined }
  if (state === '') return { ...parts, title: heading, state: '', counter: '' }
  if (!STATES.test(state)) return null
  const [, title = heading, counter = ''] = COUNTER.exec(heading) ?? []
  return { ...parts, title, state, counter }
}
