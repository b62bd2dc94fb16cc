// Refreshing a list, and adding a page to it.
import { expect, it } from 'vitest'
import { refreshed, withPage } from './rows'

const row = (id: number, status = 'pending') => ({ id, status })
const keyOf = ({ id }: { id: number }) => String(id)

it('a refresh changes values in place, and counts new rows without showing them', () => {
  const { rows, waiting, gone } = refreshed([row(3), row(2), row(1)], [row(5), row(4), row(3, 'sent'), row(2)], keyOf, false)
  expect(rows).toEqual([row(3, 'sent'), row(2), row(1)])
  expect([waiting, [...gone]]).toEqual([2, []])
})

it('a row that no longer matches stays in its place, and is marked', () => {
  const { rows, gone } = refreshed([row(3), row(2), row(1)], [row(3), row(1)], keyOf, false)
  expect(rows.map(keyOf)).toEqual(['3', '2', '1'])
  expect([...gone]).toEqual(['2'])
})

it('rows beyond the first page are not taken for gone', () => {
  expect([...refreshed([row(4), row(3), row(2), row(1)], [row(4), row(3)], keyOf, false).gone]).toEqual([])
  expect([...refreshed([row(4), row(3), row(2), row(1)], [row(4), row(3)], keyOf, true).gone]).toEqual(['2', '1'])
})

it('a page whose rows overlap with those before adds each row once', () => {
  expect(withPage([row(3), row(2)], [row(2), row(1)], keyOf).map(keyOf)).toEqual(['3', '2', '1'])
})
