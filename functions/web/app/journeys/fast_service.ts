// The real service with an event stream that a journey writes: a real stream does not have a day's events in
// minutes, nor events at times that a journey knows to the millisecond.
import { createServer, request as forward, type ServerResponse } from 'node:http'
import { hubToken, url } from './service'
import { type Browser, expect, type Page } from '@playwright/test'

export interface Stream {
  url: string
  send(id: number, event: object): void
  cut(): void
  close(): void
}

/** Opens such a service. */
export async function fastService(): Promise<Stream> {
  const streams = new Set<ServerResponse>()
  let last = 0
  const frame = (id: number, event: object) => `id: ${id}\ndata: ${JSON.stringify(event)}\n\n`
  const server = createServer((client, answer) => {
    if (client.url?.startsWith('/api/v1/events/stream')) {
      answer.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
      answer.write(frame(last, { type: 'connected', cursor: last, server_time: new Date().toISOString() }))
      streams.add(answer)
      client.on('close', () => streams.delete(answer))
      return
    }
    const { hostname, port } = new URL(url)
    const to = forward({ hostname, port, path: client.url, method: client.method, headers: client.headers }, (from) => {
      answer.writeHead(from.statusCode ?? 502, from.headers)
      from.pipe(answer)
    })
    to.on('error', () => answer.destroy())
    client.pipe(to)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return {
    url: `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`,
    send(id, event) {
      last = id
      for (const stream of streams) stream.write(frame(id, event))
    },
    cut: () => streams.forEach((stream) => stream.destroy()),
    close: () => server.close(),
  }
}

/** Returns the event of a message of Bernd Weber. */
export const messageEvent = (room: string, id: number | string, body: string): object => ({
  type: 'new_message', event_id: `$fast${id}`, room_id: room, sender: '@weber:hub.local', sender_display_name: 'Bernd Weber', body, msg_type: 'm.text',
  timestamp: new Date(Date.now() + (typeof id === 'number' ? id : 0)).toISOString(), reply_to: null, formatted_body: null, mentions: { hub_user_ids: [], room: false },
})

/** Opens a room of such a service. The page itself subscribes to the stream, so figures include it. */
export async function openOn(browser: Browser, stream: Stream, path: string): Promise<Page> {
  const context = await browser.newContext()
  await context.addInitScript(() => Object.defineProperty(window, 'SharedWorker', { value: undefined }))
  const page = await context.newPage()
  await page.goto(`${stream.url}${path}?hub_token=${await hubToken('mueller')}`)
  await expect(page.getByText('Live', { exact: true })).toBeVisible()
  return page
}
