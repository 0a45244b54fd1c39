import { connect, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import { type Logger, silentLogger } from '../../../src/base/logger.ts'
import type { Clock } from '../../../src/platform/clock.ts'
import { nodeClock } from '../../../src/platform/node-clock.ts'
import { nodeNetwork } from '../../../src/platform/node-network.ts'
import { type Processor, ProcessorTable } from '../../../src/remoting/processor-table.ts'
import { RemotingClient, type RemotingClientOptions } from '../../../src/remoting/remoting-client.ts'
import { RemotingServer, type RemotingServerOptions } from '../../../src/remoting/remoting-server.ts'
import { FrameCutter } from '../../../src/wire/frame-cutter.ts'
import {
  createResponse,
  decodeRemotingCommand,
  encodeRemotingCommand,
  type RemotingCommand,
} from '../../../src/wire/remoting-command.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'

export const ECHO = 10
/** A code whose requests wait in `held` until the test answers them. */
export const HOLD = 11

const echo: Processor = (request, _peer, reply) => {
  reply(createResponse(request, 0, null, request.extFields, Buffer.from(request.body)))
}

/** A log that keeps its lines. */
export function recordingLog(): { log: Logger; lines: { level: string; fields: object; message: string }[] } {
  const lines: { level: string; fields: object; message: string }[] = []
  const to = (level: string) => (fields: object, message: string) => void lines.push({ level, fields, message })
  return { log: { ...silentLogger, warn: to('warn'), error: to('error') }, lines }
}

export interface RunningServer {
  readonly server: RemotingServer
  readonly processors: ProcessorTable
  readonly port: number
  /** Answers to HOLD requests, in the order they came. */
  readonly held: (() => void)[]
}

/** On a free port of the loopback, with ECHO and HOLD; stopped when the test ends. */
export async function startServer(options: Partial<RemotingServerOptions> = {}): Promise<RunningServer> {
  const clock = options.clock ?? nodeClock
  const log = options.log ?? silentLogger
  const processors = new ProcessorTable(log, clock)
  const held: (() => void)[] = []
  processors.register(ECHO, echo)
  processors.register(HOLD, (request, _peer, reply) => void held.push(() => reply(createResponse(request, 0))))
  const address = { host: '127.0.0.1', port: 0 }
  const server = new RemotingServer({ address, processors, network: nodeNetwork, clock, log, stopGraceMs: 50, ...options })
  await server.start()
  onTestFinished(() => stopServer(server, clock))
  return { server, processors, port: server.address.port, held }
}

/** With a clock that stands still, somebody has to move it. */
async function stopServer(server: RemotingServer, clock: Clock): Promise<void> {
  let stopped = false
  const stopping = server.stop().then(() => {
    stopped = true
  })
  while (clock instanceof FakeClock && !stopped) {
    clock.runTicks()
    clock.advance(1_000)
    await new Promise((resolve) => setImmediate(resolve))
  }
  await stopping
}

export function startClient(port: number, options: Partial<RemotingClientOptions> = {}): RemotingClient {
  const client = new RemotingClient({
    host: '127.0.0.1',
    port,
    network: nodeNetwork,
    clock: nodeClock,
    log: silentLogger,
    ...options,
  })
  onTestFinished(() => client.close())
  return client
}

/** A peer that writes any bytes and collects what comes. */
export class RawPeer {
  readonly answers: RemotingCommand[] = []
  readonly closed: Promise<void>
  readonly socket: Socket
  #wake: () => void = () => {}

  constructor(port: number) {
    this.socket = connect({ host: '127.0.0.1', port, noDelay: true })
    const cutter = new FrameCutter()
    this.socket.on('data', (chunk) => {
      cutter.push(chunk, (frame) => this.answers.push(decodeRemotingCommand(frame)))
      this.#wake()
    })
    this.socket.on('error', () => {})
    this.closed = new Promise((resolve) => this.socket.on('close', () => resolve()))
    onTestFinished(() => void this.socket.destroy())
  }

  send(...commands: RemotingCommand[]): void {
    this.socket.write(Buffer.concat(commands.flatMap(encodeRemotingCommand)))
  }

  /** The first `count` answers, as soon as they are there. */
  async take(count: number): Promise<RemotingCommand[]> {
    while (this.answers.length < count) await new Promise<void>((resolve) => (this.#wake = resolve))
    return this.answers.slice(0, count)
  }
}

/** Waits for a state that nothing announces. */
export async function until(reached: () => boolean): Promise<void> {
  while (!reached()) await new Promise((resolve) => setTimeout(resolve, 1))
}
