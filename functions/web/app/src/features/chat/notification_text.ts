// Parses the message of the bot for a notification: `❗ [app] title`, then the body.

export interface NotificationText {
  app: string
  title: string
  body: string
  isUrgent: boolean
}

const FORM = /^(❗\uFE0F?\s*)?\[([^\]\n]{1,100})\] ([^\n]*)\n*([\s\S]*)$/

/** Returns the parts; `null` for a message of another form. */
export function notificationText(text: string): NotificationText | null {
  const found = FORM.exec(text)
  if (found === null) return null
  const [, mark, app = '', title = '', body = ''] = found
  return { app, title, body: body.trim(), isUrgent: mark !== undefined }
}
