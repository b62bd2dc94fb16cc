// The request fields of a text.
import { expect, it } from 'vitest'
import { BYTES_MAX, LENGTH_MAX, mentionsIn, previewOf, sizeOf, textOf } from './texts'

it('is Markdown only with marks that nobody writes by chance', () => {
  const marked = ['**Achtung**', '`E-401`', '- Öl\n- Filter', '1. Tür zu', '> zitiert', '[Plan](https://x.de)', '# Schicht']
  const plain = ['2*3*4 mm', 'M8 x 20', '-5 °C', 'Preis: 5 €_netto_', '1.5 bar', 'a > b', 'Hallo *Max*']
  expect(marked.map((text) => textOf(text).format)).toEqual(marked.map(() => 'markdown'))
  expect(plain.map((text) => textOf(text).format)).toEqual(plain.map(() => undefined))
})

it('mentions those whose mention still stands in it', () => {
  const chosen = [{ id: 'anna', text: '@Anna Schmidt' }, { id: 'bert', text: '@Bernd Weber' }, { id: null, text: '@alle' }]
  expect(mentionsIn('@Anna Schmidt und @Bernd', chosen)).toEqual({ hub_user_ids: ['anna'], room: false })
  expect(mentionsIn('@alle: Pause', chosen)).toEqual({ hub_user_ids: [], room: true })
  expect(mentionsIn('Hallo', chosen)).toBeUndefined()
})

it('has more bytes than characters: emoji reach the limit of bytes first', () => {
  expect(sizeOf('ä\n👍')).toEqual({ characters: 3, bytes: 10 })
  const { characters, bytes } = sizeOf('😀'.repeat(18_000))
  expect([characters <= LENGTH_MAX, bytes > BYTES_MAX]).toEqual([true, true])
})

it('is previewed without its marks, and as it is where it has none', () => {
  const texts = ['**Fett** und `E-401`', '- Öl\n- **Filter**', '> zitiert\nJa', '[Plan](https://x.de) ~~alt~~', '2*3*4 mm', 'a ** b ** c', '# Schicht\n1. Tür zu']
  expect(texts.map(previewOf)).toEqual(['Fett und E-401', 'Öl Filter', 'zitiert Ja', 'Plan alt', '2*3*4 mm', 'a ** b ** c', 'Schicht 1. Tür zu'])
})
