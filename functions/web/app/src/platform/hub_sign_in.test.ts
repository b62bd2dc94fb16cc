// The parameters that the Hub puts into the address.
import { expect, it } from 'vitest'
import { parseHubSignIn } from './hub_sign_in'

it('token and code leave the address, and all else stays', () => {
  const { token, hasCode, rest } = parseHubSignIn('https://hub:8085/chat/%21a?hub_token=%20abc&x=1&hub_code=7#y')
  expect([token, hasCode, rest.href]).toEqual(['abc', true, 'https://hub:8085/chat/%21a?x=1#y'])
})

it('a blank token is none', () => {
  expect(parseHubSignIn('https://hub/chat?hub_token=')).toMatchObject({ token: null, hasCode: false })
})
