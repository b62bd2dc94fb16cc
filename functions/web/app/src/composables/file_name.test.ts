// File names of other users.
import { expect, it } from 'vitest'
import { readableSize, visibleName } from './file_name'

it('a name shows the marks that would turn it', () => {
  expect(visibleName('Rechnung\u202Efdp.exe')).toBe('Rechnung⟨U+202E⟩fdp.exe')
})

it('a long name is cut in the middle, and keeps its end', () => {
  const name = visibleName(`${'ä'.repeat(300)}.pdf`)
  expect([...name].length).toBe(60)
  expect(name.endsWith('.pdf')).toBe(true)
})

it('sizes are readable', () => {
  expect([0, 999, 1000, 1_540_000, 20_000_000].map((bytes) => readableSize(bytes, 'de'))).toEqual(['0 B', '999 B', '1 kB', '1,5 MB', '20 MB'])
})
