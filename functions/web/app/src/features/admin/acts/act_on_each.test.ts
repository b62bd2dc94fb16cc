// Acts on many objects: partial failure, a session that ends, stopping and continuing.
import { expect, it } from 'vitest'
import { ApiError, NoAnswer } from '@/api/problem'
import { useActOnEach } from './act_on_each'

const objects = ['a', 'b', 'c'].map((key) => ({ key, name: key.toUpperCase() }))
const refusal = (status: number, code: string) => new ApiError(status, code, code, null, null)

it('a failure of one does not stop the others, and it alone is repeated', async () => {
  const asked: string[] = []
  let isUp = false
  const acts = useActOnEach(async (key) => {
    asked.push(key)
    if (key === 'b' && !isUp) throw new NoAnswer('cut')
    return key === 'c' ? { state: 'skipped', text: 'already closed' } : { state: 'done', text: '' }
  })
  acts.set(objects)
  await acts.run()
  expect(acts.rows.value.map(({ state }) => state)).toEqual(['done', 'failed', 'skipped'])
  isUp = true
  await acts.retryFailed()
  expect(acts.rows.value.map(({ state }) => state)).toEqual(['done', 'done', 'skipped'])
  expect(asked).toEqual(['a', 'b', 'c', 'b'])
})

it('a session that ends stops it, keeps what was done, and goes on with the rest', async () => {
  const asked: string[] = []
  let isSignedIn = true
  const acts = useActOnEach(async (key) => {
    if (!isSignedIn) throw refusal(401, 'token_expired')
    asked.push(key)
    isSignedIn = key !== 'a'
    return { state: 'done', text: '' }
  })
  acts.set(objects)
  await acts.run()
  expect([acts.stopped.value, acts.counts.value.done, acts.counts.value.waiting]).toEqual(['signed-out', 1, 2])
  isSignedIn = true
  await acts.run()
  expect([acts.stopped.value, acts.counts.value.done]).toEqual([null, 3])
  expect(asked).toEqual(['a', 'b', 'c'])
})

it('stopping lets the present object end, and leaves the others', async () => {
  const acts = useActOnEach(async () => {
    acts.stop()
    return { state: 'done', text: '' }
  })
  acts.set(objects)
  await acts.run()
  expect(acts.rows.value.map(({ state }) => state)).toEqual(['done', 'waiting', 'waiting'])
})
