// The initials of a name.

/** Returns the first letters of the first and the last word, without what stands in brackets ("Anna (Schicht 2)"). */
export function initialsOf(name: string): string {
  const words = name.replaceAll(/\([^)]*\)?|\[[^\]]*\]?/gu, ' ').trim().split(/\s+/u)
  const letters = words.filter((word) => /^\p{L}/u.test(word))
  const used = letters.length > 0 ? letters : words.filter((word) => /^\p{N}/u.test(word))
  const picked = used.length > 1 ? [used[0], used.at(-1)] : used
  return picked.map((word) => [...(word ?? '')][0] ?? '').join('').toLocaleUpperCase('de') || '?'
}
