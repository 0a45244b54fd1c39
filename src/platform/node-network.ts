import { connect, createServer, type Server, type Socket, type TcpNetConnectOpts } from 'node:net'
import type { Address, Connection, ConnectOptions, Listener, Network } from './network.ts'

/** One read of a connection we opened fills at most this much; the same memory serves every read of that connection. */
const RECEIVE_BUFFER_SIZE = 256 * 1024
/** Unsent bytes from which `write` answers false. Twice what the kernel usually takes at once, so a fast peer never waits for us. */
const SEND_HIGH_WATER_MARK = 512 * 1024
/** Waiting connects (Netty's SO_BACKLOG in NettyServerConfig). */
const LISTEN_BACKLOG = 1024

function ignoreData(): void {}

class NodeConnection implements Connection {
  readonly remote: Address
  readonly local: Address
  onData: (view: Buffer) => void = ignoreData
  onDrain: () => void = ignoreData
  onClose: (error: Error | null) => void = ignoreData
  readonly #socket: Socket
  #error: Error | null = null

  constructor(socket: Socket) {
    this.#socket = socket
    this.remote = { host: plainHost(socket.remoteAddress), port: socket.remotePort ?? 0 }
    this.local = { host: plainHost(socket.localAddress), port: socket.localPort ?? 0 }
    socket.setNoDelay(true)
    socket.on('drain', () => this.onDrain())
    socket.on('error', (error) => {
      this.#error = error
    })
    socket.on('close', () => this.onClose(this.#error))
  }

  get bufferedBytes(): number {
    return this.#socket.writableLength
  }

  write(buffers: readonly Buffer[], released?: () => void): boolean {
    const socket = this.#socket
    const last = buffers.length - 1
    if (last < 0) {
      released?.()
      return !socket.writableNeedDrain
    }
    socket.cork() // header and body leave in one system call
    for (let i = 0; i < last; i++) socket.write(buffers[i] as Buffer)
    const accepted = socket.write(buffers[last] as Buffer, released)
    socket.uncork()
    return accepted
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  end(): void {
    this.#socket.end()
  }

  destroy(): void {
    this.#socket.destroy()
  }
}

/** Node's dual-stack sockets show IPv4 peers as `::ffff:1.2.3.4`. */
function plainHost(host: string | undefined): string {
  return (host ?? '').replace(/^::ffff:(?=\d+\.)/, '')
}

function listen(address: Address, onConnection: (connection: Connection) => void): Promise<Listener> {
  return new Promise((resolve, reject) => {
    const server = createServer({ highWaterMark: SEND_HIGH_WATER_MARK }, (socket) => {
      const connection = new NodeConnection(socket)
      socket.on('data', (chunk) => connection.onData(chunk))
      onConnection(connection)
    })
    server.once('error', reject)
    server.listen({ host: address.host, port: address.port, backlog: LISTEN_BACKLOG }, () => {
      server.off('error', reject)
      server.on('error', ignoreAcceptError)
      resolve(new NodeListener(server, address))
    })
  })
}

/** Too many open files and the like: the one connection is lost, the listener lives. */
function ignoreAcceptError(): void {}

class NodeListener implements Listener {
  readonly address: Address
  readonly #server: Server

  constructor(server: Server, asked: Address) {
    this.#server = server
    const bound = server.address()
    this.address = { host: asked.host, port: typeof bound === 'object' && bound !== null ? bound.port : asked.port }
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve())
      // Node's callback waits for the connections too; those have owners of their own, so the port counts as free at once.
      setImmediate(resolve)
    })
  }
}

function connectTo({ host, port, timeoutMs }: ConnectOptions): Promise<Connection> {
  return new Promise((resolve, reject) => {
    let connection: NodeConnection | null = null
    const options: TcpNetConnectOpts & { highWaterMark: number } = {
      host,
      port,
      highWaterMark: SEND_HIGH_WATER_MARK,
      onread: {
        buffer: Buffer.allocUnsafeSlow(RECEIVE_BUFFER_SIZE),
        callback: (size: number, buffer: Uint8Array) => {
          connection?.onData((buffer as Buffer).subarray(0, size))
          return true
        },
      },
    }
    const socket = connect(options)
    const fail = (error: Error): void => {
      clearTimeout(deadline)
      socket.destroy()
      reject(error)
    }
    const deadline = setTimeout(
      () => fail(Object.assign(new Error(`no connection to ${host}:${port} within ${timeoutMs} ms`), { code: 'ETIMEDOUT' })),
      timeoutMs,
    )
    socket.once('error', fail)
    socket.once('connect', () => {
      clearTimeout(deadline)
      socket.off('error', fail)
      connection = new NodeConnection(socket)
      resolve(connection)
    })
  })
}

/** Real TCP. */
export const nodeNetwork: Network = { listen, connect: connectTo }
