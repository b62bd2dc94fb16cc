// File names of other users, shown with their invisible characters and their end.

/** Control characters, invisible characters, and those that change the text direction. */
const HIDDEN = /[\p{Cc}\p{Cf}]/gu
/** Characters that are shown of a name. */
const SHOWN = 60

/** Returns a name with its invisible marks named, and cut in the middle so that its end is visible. */
export function visibleName(name: string, most = SHOWN): string {
  const letters = [...name.replace(HIDDEN, (mark) => `⟨U+${(mark.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}⟩`)]
  if (letters.length <= most) return letters.join('')
  const end = Math.floor(most / 3)
  return `${letters.slice(0, most - end - 1).join('')}…${letters.slice(-end).join('')}`
}

/** Returns a size as people read it, in steps of 1000 as file managers do. */
export function readableSize(bytes: number, language: string): string {
  const units = ['B', 'kB', 'MB', 'GB']
  const step = Math.min(units.length - 1, bytes < 1 ? 0 : Math.floor(Math.log10(bytes) / 3))
  const number = new Intl.NumberFormat(language, { maximumFractionDigits: step === 0 ? 0 : 1 })
  return `${number.format(bytes / 1000 ** step)} ${units[step]}`
}
