// Mentions while a user types.
import { describe, expect, it } from 'vitest'
import type { Member } from '@/api/types'
import { begunMention, offersFor, withMention } from './mention_input'

const members = [['anna', 'Anna Schmidt'], ['me', 'Max Müller'], ['bert', 'Bernd Weber'], ['oez', 'Özlem Şahin']].map(([hub_user_id, display_name]) => ({ hub_user_id, display_name })) as Member[]
const offered = (begun: string) => offersFor(begun, members, 'me', 'alle').map(({ name }) => name)

describe('a mention', () => {
  it('begins with an @ at the beginning of a word', () => {
    expect(['@', 'Hallo @An', '(@b', '@Anna Sch', 'a@b.de', 'Hallo @Anna und '].map((text) => begunMention(text, text.length))).toEqual(['', 'An', 'b', 'Anna Sch', null, null])
    expect(begunMention('@Anna, hallo', 3)).toBe('An')
  })

  it('finds by each part of a name, by id, and regardless of accents, and never oneself', () => {
    expect(offered('')).toEqual(['Anna Schmidt', 'Bernd Weber', 'Özlem Şahin', 'alle'])
    expect([offered('sch'), offered('oz'), offered('max'), offered('bert'), offered('al')]).toEqual([['Anna Schmidt'], ['Özlem Şahin'], [], ['Bernd Weber'], ['alle']])
  })

  it('takes the place of what was typed', () => {
    expect(withMention('Hallo @An, da', 9, 'An', { id: 'anna', text: '@Anna Schmidt' })).toEqual({ text: 'Hallo @Anna Schmidt , da', cursor: 20 })
  })
})
