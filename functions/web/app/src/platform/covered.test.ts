// The height of the page that a keyboard covers.
import { expect, it } from 'vitest'
import { coveredOf } from './covered'

it('a keyboard covers what it leaves of the page', () => expect(coveredOf(844, { height: 508.4, scale: 1 })).toBe(336))
it('a bar of the browser, a zoom, and a page that is as high as its window are no keyboard', () => {
  expect(coveredOf(844, { height: 760, scale: 1 })).toBe(0)
  expect(coveredOf(844, { height: 422, scale: 2 })).toBe(0)
  expect(coveredOf(844, { height: 844, scale: 1 })).toBe(0)
})
