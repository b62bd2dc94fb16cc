// A TCP proxy before the service that cuts connections, holds bytes back, or forwards them.
import { connect, createServer, type Server, type Socket } from 'node:net'
import { url } from './service'

export class Proxy {
  readonly #sockets = new Set<Socket>()
  /** Connections that are cut: none, at once, when the request has been passed on and before its answer, or never, without a byte. */
  mode: 'pass' | 'refuse' | 'swallow-answers' | 'black-hole' = 'pass'
  /** Requests for an event stream are passed on after this. */
  streamsBegin: Promise<void> = Promise.resolve()

  private constructor(private readonly server: Server, readonly port: number) {}

  static async open(): Promise<Proxy> {
    const target = new URL(url)
    let proxy: Proxy | null = null
    const server = createServer((client) => proxy?.pass(client, connect(Number(target.port), target.hostname)))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    proxy = new Proxy(server, typeof address === 'object' && address !== null ? address.port : 0)
    return proxy
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  private pass(client: Socket, service: Socket): void {
    for (const socket of [client, service]) {
      this.#sockets.add(socket)
      socket.on('error', () => socket.destroy())
      socket.on('close', () => {
        this.#sockets.delete(socket)
        client.destroy()
        service.destroy()
      })
    }
    client.on('data', (data) => {
      if (this.mode === 'refuse') client.destroy()
      else if (data.includes('GET /api/v1/events/stream')) void this.streamsBegin.then(() => service.write(data))
      else if (this.mode !== 'black-hole') service.write(data)
    })
    service.on('data', (data) => {
      if (this.mode === 'swallow-answers') client.destroy()
      else if (this.mode !== 'black-hole') client.write(data)
    })
  }

  /** Cuts all connections that are open. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  close(): void {
    this.cut()
    this.server.close()
  }
}
