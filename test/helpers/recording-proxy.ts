import { connect, createServer, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import type { Address } from '../../src/platform/network.ts'
import type { RecordedChunk, RecordedConversation, Side } from './recorded-conversation.ts'

const LOOPBACK = '127.0.0.1'
/** Of one conversation: far more than anybody wants in a repository. */
const RECORDED_SIZE_MAX = 1024 * 1024

interface Piece {
  readonly connection: number
  readonly from: Side
  bytes: Buffer
}

/** A way to a server that notes who sent what. Ended with the test. */
export class RecordingProxy {
  address: Address = { host: LOOPBACK, port: 0 }
  readonly #pieces: Piece[] = []
  readonly #sockets = new Set<Socket>()
  #connections = 0
  #size = 0

  /**
   * @param port to listen on, a free one by default
   * @throws Error (rejection) where the port is in use
   */
  static async to(target: Address, port = 0): Promise<RecordingProxy> {
    const proxy = new RecordingProxy()
    const server = createServer((socket) => proxy.#join(socket, target))
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, LOOPBACK, resolve)
    })
    const address = server.address()
    proxy.address = { host: LOOPBACK, port: typeof address === 'object' && address !== null ? address.port : 0 }
    onTestFinished(() => {
      server.close()
      for (const socket of proxy.#sockets) socket.destroy()
    })
    return proxy
  }

  /** HOST:PORT. */
  get listen(): string {
    return `${this.address.host}:${this.address.port}`
  }

  /** What was said so far, by sides that whoever keeps it has to name. @throws Error where that is more than is kept */
  get conversation(): RecordedConversation {
    if (this.#size > RECORDED_SIZE_MAX) throw new Error(`${this.#size} bytes were said, more than is recorded`)
    const chunks = this.#pieces.map(
      ({ connection, from, bytes }): RecordedChunk => ({ connection, from, hex: bytes.toString('hex') }),
    )
    return { client: '', server: '', chunks }
  }

  #join(client: Socket, target: Address): void {
    const connection = this.#connections++
    const server = connect(target.port, target.host)
    this.#forward(client, server, connection, 'client')
    this.#forward(server, client, connection, 'server')
  }

  #forward(source: Socket, sink: Socket, connection: number, from: Side): void {
    this.#sockets.add(source)
    source.on('error', () => {}) // `close` follows
    source.on('close', () => {
      this.#sockets.delete(source)
      sink.destroy()
    })
    source.on('data', (bytes: Buffer) => this.#note(connection, from, bytes))
    source.pipe(sink)
  }

  #note(connection: number, from: Side, bytes: Buffer): void {
    this.#size += bytes.length
    if (this.#size > RECORDED_SIZE_MAX) return
    const last = this.#pieces.at(-1)
    if (last?.connection === connection && last.from === from) last.bytes = Buffer.concat([last.bytes, bytes])
    else this.#pieces.push({ connection, from, bytes })
  }
}
