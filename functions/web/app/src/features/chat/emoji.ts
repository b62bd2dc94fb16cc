// The emoji with their names in a language.

export type Emoji = readonly [key: string, name: string, words: string, group: number]

/** Loads all emoji. */
export async function emojiOf(language: string): Promise<readonly Emoji[]> {
  return (await (language === 'de' ? import('virtual:emoji/de') : import('virtual:emoji/en'))).default
}
