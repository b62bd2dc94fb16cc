// The initials of names.
import { expect, it } from 'vitest'
import { initialsOf } from './initials'

it('initials are those of the first and the last word, without brackets and numbers', () => {
  const names = ['Max Müller', 'Anna (Schicht 2)', 'Deniz Yılmaz (Halle 3)', 'Anna 2', 'örsted', 'Marie von der Au', '42', '7 Zwerge', '(Schicht 2)', '🏭', '']
  expect(names.map(initialsOf)).toEqual(['MM', 'A', 'DY', 'A', 'Ö', 'MA', '4', 'Z', '?', '?', '?'])
})
