// The columns of a list.

export interface Column {
  key: string
  label: string
  /** The track of the grid, as `minmax(8rem, 1fr)`. */
  track: string
  /** On a phone: in a line of its own, beside others, or left out. */
  onPhone?: 'line' | 'beside' | 'hidden'
  isNumber?: boolean
}

/** The least width of the column with the check boxes. */
const CHECK = '2.75rem'

/** Returns the tracks of a row. */
export const tracksOf = (columns: readonly Column[], hasChecks: boolean): string =>
  [...(hasChecks ? [CHECK] : []), ...columns.map(({ track }) => track)].join(' ')
