// The snippets for satellites.
import { expect, it } from 'vitest'
import { curlLines, pythonLines } from './snippets'

it('the curl lines name this installation, and their body is JSON with the chosen tenant', () => {
  const lines = curlLines('https://hub.example/messenger', 7)
  expect(lines).toContain('"https://hub.example/messenger/api/v1/notifications/send"')
  const body = JSON.parse(/-d '(.*)'$/.exec(lines)?.[1] ?? '') as { tenant_id: number; source_app: string }
  expect([body.tenant_id, body.source_app]).toEqual([7, 'fertigungs-app'])
  expect(curlLines('https://hub.example', null)).not.toContain('tenant_id')
})

it('no token stands in a snippet', () => {
  for (const lines of [curlLines('https://hub.example', null), pythonLines('https://hub.example', null)]) expect(lines).toMatch(/MESSENGER_SERVICE_TOKEN/)
})
