// Checks whether a reload of the page loses no input of the user.

export interface PageUse {
  /** Whether it has had no input for a while, or is in the background. */
  isUnused: boolean
  isSending: boolean
  hasUrgent: boolean
  /** Whether something was typed that is kept in this tab only. */
  hasUnstored: boolean
  hasDialog: boolean
  isPlaying: boolean
  /** The values of all fields. */
  texts: readonly string[]
  /** The number of files that are chosen and not sent. */
  files: number
}

export function isIdlePage(use: PageUse): boolean {
  const isBusy = use.isSending || use.hasUrgent || use.hasUnstored || use.hasDialog || use.isPlaying || use.files > 0
  return use.isUnused && !isBusy && use.texts.every((text) => text.trim() === '')
}
