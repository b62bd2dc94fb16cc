// Notifications of the operating system. Browsers have them in secure contexts only, and ask their user first.

/**
 * `granted` and `default` can be used, `default` after a question. The others say why there are none: the user or the
 * administration said no, the page is not on https, it is in a frame, or the browser has none for pages.
 */
export type NotificationAbility = 'granted' | 'default' | 'denied' | 'insecure' | 'framed' | 'missing'

interface OsNotification {
  title: string
  body: string
  /** Notifications with the same tag are shown once, also by several tabs. */
  tag: string
  /** Whether it stays until the user closes it. */
  isUrgent: boolean
}

/** Whether this browser refused to show one: Chrome on Android shows only those of a service worker. */
let isRefused = false

export function notificationAbility(): NotificationAbility {
  if (!isSecureContext) return 'insecure'
  if (isRefused || typeof Notification === 'undefined') return 'missing'
  if (Notification.permission !== 'granted' && window.top !== window) return 'framed'
  return Notification.permission
}

/** Asks the user for permission, and returns the new state. */
export async function askForNotifications(): Promise<NotificationAbility> {
  if (notificationAbility() === 'default') await Notification.requestPermission()
  return notificationAbility()
}

/** Shows a notification. Returns whether it is shown. */
export function showNotification({ title, body, tag, isUrgent }: OsNotification, onClick: () => void): boolean {
  if (notificationAbility() !== 'granted') return false
  try {
    const shown = new Notification(title, { body, tag, requireInteraction: isUrgent })
    shown.addEventListener('click', () => {
      window.focus()
      shown.close()
      onClick()
    })
    return true
  } catch {
    isRefused = true
    return false
  }
}
