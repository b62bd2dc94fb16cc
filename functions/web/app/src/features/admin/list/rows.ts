// The rule for refreshing a list: no row moves, and no row is inserted by itself.

export interface Refreshed<T> {
  /** The rows in their order, with the values that they have now. */
  rows: readonly T[]
  /** The number of rows that the service has and the list does not show. */
  waiting: number
  /** Rows that the page would have and does not have any more. */
  gone: ReadonlySet<string>
}

/** Returns the rows after the first page was read again, which may be the whole list. */
export function refreshed<T>(rows: readonly T[], page: readonly T[], keyOf: (row: T) => string, isWhole: boolean): Refreshed<T> {
  const now = new Map(page.map((row) => [keyOf(row), row]))
  const last = isWhole ? rows.length - 1 : rows.findLastIndex((row) => now.has(keyOf(row)))
  const gone = new Set(rows.slice(0, last + 1).map(keyOf).filter((key) => !now.has(key)))
  const known = new Set(rows.map(keyOf))
  return {
    rows: rows.map((row) => now.get(keyOf(row)) ?? row),
    waiting: page.filter((row) => !known.has(keyOf(row))).length,
    gone,
  }
}

/** Returns the rows with those of the next page, each once. */
export function withPage<T>(rows: readonly T[], page: readonly T[], keyOf: (row: T) => string): readonly T[] {
  const known = new Set(rows.map(keyOf))
  return [...rows, ...page.filter((row) => !known.has(keyOf(row)))]
}
