import type { Socket } from 'node:net'
import { FrameCutter, LENGTH_SIZE } from '../../../src/wire/frame-cutter.ts'
import { encodePullMessageRequestHeader } from '../../../src/wire/headers/pull-message-request-header.ts'
import { decodePullMessageResponseHeader } from '../../../src/wire/headers/pull-message-response-header.ts'
import {
  createRequest,
  decodeRemotingCommand,
  encodeRemotingCommand,
  type RemotingCommand,
} from '../../../src/wire/remoting-command.ts'
import { RequestCode } from '../../../src/wire/request-code.ts'
import { ResponseCode } from '../../../src/wire/response-code.ts'
import { type Loop, serveLoop } from './closed-loop.ts'

/*
 * A closed loop of pulls over one connection. Each place in flight walks through a part of one queue of its own, again and again; bodies are
 * taken and thrown away, because a consumer's work is not what is measured.
 */

export interface PullOrder {
  /** HOST:PORT of the broker. */
  readonly listen: string
  readonly topic: string
  readonly queues: number
  readonly inFlight: number
  readonly batch: number
  /** How many messages at the end of each queue are read; 0: all of it. */
  readonly lastMessages: number
  readonly warmUpMs: number
  readonly measureMs: number
}

export interface PullResult {
  readonly messagesPerSecond: number
  readonly bytesPerSecond: number
  readonly messagesPerPull: number
  /** Processor time of this process per message. */
  readonly cpuUsPerMessage: number
}

interface Place {
  readonly queueId: number
  from: number
  to: number
  offset: number
}

const OPAQUE_AT = LENGTH_SIZE + 9
/** The first answer of each place only tells where its queue begins and ends. */
const ASKS = Number.MAX_SAFE_INTEGER

serveLoop((socket, order: PullOrder, done: (result: PullResult) => void) => new PullLoop(socket, order, done))

class PullLoop implements Loop {
  readonly #socket: Socket
  readonly #order: PullOrder
  readonly #done: (result: PullResult) => void
  readonly #cutter = new FrameCutter()
  readonly #places: Place[]
  #outgoing: Buffer[] = []
  #measureFromMs = Number.POSITIVE_INFINITY
  #nowMs = 0
  #messages = 0
  #bytes = 0
  #pulls = 0
  #cpuBefore: NodeJS.CpuUsage | undefined
  #isOver = false

  constructor(socket: Socket, order: PullOrder, done: (result: PullResult) => void) {
    this.#socket = socket
    this.#order = order
    this.#done = done
    const { inFlight, queues } = order
    this.#places = Array.from({ length: inFlight }, (_, i) => ({ queueId: i % queues, from: 0, to: 0, offset: ASKS }))
  }

  start(): void {
    this.#measureFromMs = performance.now() + this.#order.warmUpMs
    for (let i = 0; i < this.#places.length; i++) this.#send(i)
    this.#flush()
  }

  onData(chunk: Buffer): void {
    if (this.#isOver) return
    this.#nowMs = performance.now()
    if (this.#nowMs >= this.#measureFromMs) this.#cpuBefore ??= process.cpuUsage()
    this.#cutter.push(chunk, this.#onAnswer)
    if (this.#nowMs >= this.#measureFromMs + this.#order.measureMs) this.#finish()
    else this.#flush()
  }

  readonly #onAnswer = (frame: Buffer): void => {
    const answer = decodeRemotingCommand(frame)
    const place = this.#places[answer.opaque]
    if (place === undefined) throw new Error(`an answer to nothing: opaque ${answer.opaque}`)
    if (place.offset === ASKS) this.#settle(place, answer.opaque, answer)
    else this.#take(place, answer)
    this.#send(answer.opaque)
  }

  /** Gives the place its part of the queue. */
  #settle(place: Place, index: number, answer: RemotingCommand): void {
    const { queues, inFlight, lastMessages } = this.#order
    const { minOffset, maxOffset } = decodePullMessageResponseHeader(answer.extFields)
    const first = lastMessages === 0 ? minOffset : Math.max(minOffset, maxOffset - lastMessages)
    const perPlace = Math.floor((maxOffset - first) / Math.ceil(inFlight / queues))
    if (perPlace < this.#order.batch) throw new Error(`queue ${place.queueId} has only ${maxOffset - first} messages`)
    place.from = first + Math.floor(index / queues) * perPlace
    place.to = place.from + perPlace
    place.offset = place.from
  }

  #take(place: Place, { code, remark, extFields, body }: RemotingCommand): void {
    if (code !== ResponseCode.SUCCESS) throw new Error(`a pull was answered with code ${code}: ${remark}`)
    const { nextBeginOffset } = decodePullMessageResponseHeader(extFields)
    if (this.#nowMs >= this.#measureFromMs) {
      this.#messages += nextBeginOffset - place.offset
      this.#bytes += body.length
      this.#pulls++
    }
    place.offset = nextBeginOffset >= place.to ? place.from : nextBeginOffset
  }

  #send(index: number): void {
    const { queueId, offset } = this.#places[index] as Place
    const fields = encodePullMessageRequestHeader({
      consumerGroup: 'bench-consumers',
      topic: this.#order.topic,
      queueId,
      queueOffset: offset,
      maxMsgNums: this.#order.batch,
      sysFlag: 4,
      commitOffset: 0,
      suspendTimeoutMillis: 15_000,
      subscription: '*',
      subVersion: 1n,
      expressionType: 'TAG',
    })
    const [frame] = encodeRemotingCommand(createRequest(RequestCode.PULL_MESSAGE, fields, Buffer.alloc(0), 'ROCKETMQ'))
    if (frame === undefined) throw new Error('a frame is at least one buffer')
    frame.writeInt32BE(index, OPAQUE_AT)
    this.#outgoing.push(frame)
  }

  #flush(): void {
    if (this.#outgoing.length > 0) this.#socket.write(Buffer.concat(this.#outgoing))
    this.#outgoing = []
  }

  #finish(): void {
    this.#isOver = true
    this.#socket.removeAllListeners('close')
    this.#socket.destroy()
    const cpu = process.cpuUsage(this.#cpuBefore)
    const seconds = (this.#nowMs - this.#measureFromMs) / 1000
    this.#done({
      messagesPerSecond: this.#messages / seconds,
      bytesPerSecond: this.#bytes / seconds,
      messagesPerPull: this.#messages / this.#pulls,
      cpuUsPerMessage: (cpu.user + cpu.system) / this.#messages,
    })
  }
}
