// The parameters that the Hub puts into the address.
import { expect, it } from 'vitest'
import { parseHubSignIn } from './hub_sign_in'

it('token and code leave the address, and all else stays', () => {
  const { token, code, rest } = parseHubSignIn('https://hub:8085/chat/%21a?hub_token=%20abc&x=1&hub_code=7#y')
  expect([token, code, rest.href]).toEqual(['abc', '7', 'https://hub:8085/chat/%21a?x=1#y'])
})

it('a blank token or code is none', () => {
  expect(parseHubSignIn('https://hub/chat?hub_token=&hub_code=%20')).toMatchObject({ token: null, code: null })
})
