import { connect, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import { FrameCutter } from '../../src/wire/frame-cutter.ts'
import {
  decodeRemotingCommand,
  encodeRemotingCommand,
  isResponse,
  type RemotingCommand,
} from '../../src/wire/remoting-command.ts'

/** A client's connection that keeps all that comes over it, the requests of the broker's own too. */
export class PlainPeer {
  readonly #socket: Socket
  readonly #received: RemotingCommand[] = []
  #wake: () => void = () => {}

  constructor(port: number) {
    this.#socket = connect({ host: '127.0.0.1', port, noDelay: true })
    const cutter = new FrameCutter()
    this.#socket.on('data', (chunk) => {
      cutter.push(chunk, (frame) => {
        const command = decodeRemotingCommand(frame)
        this.#received.push({ ...command, body: Buffer.from(command.body) })
      })
      this.#wake()
    })
    this.#socket.on('error', () => {})
    onTestFinished(() => this.destroy())
  }

  send(command: RemotingCommand): void {
    this.#socket.write(Buffer.concat(encodeRemotingCommand(command)))
  }

  /** The first answer, as soon as it is there. */
  answer(): Promise<RemotingCommand> {
    return this.#find(isResponse, 1)
  }

  /** The broker's own request of this code, the `count`th, as soon as it is there. */
  request(code: number, count: number): Promise<RemotingCommand> {
    return this.#find((command) => !isResponse(command) && command.code === code, count)
  }

  destroy(): void {
    this.#socket.destroy()
  }

  async #find(isWanted: (command: RemotingCommand) => boolean, count: number): Promise<RemotingCommand> {
    for (;;) {
      const found = this.#received.filter(isWanted)[count - 1]
      if (found !== undefined) return found
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}
