import { connect, type Socket } from 'node:net'
import { FrameCutter, LENGTH_SIZE } from '../../../src/wire/frame-cutter.ts'
import { encodeSendMessageRequestHeaderV2 } from '../../../src/wire/headers/send-message-request-header.ts'
import { createRequest, encodeRemotingCommand } from '../../../src/wire/remoting-command.ts'
import { RequestCode } from '../../../src/wire/request-code.ts'
import { ResponseCode } from '../../../src/wire/response-code.ts'
import { serveJob } from './child-job.ts'

/*
 * A closed loop over one connection: a new send leaves for every answer that came. It does as little as it can per message, because it takes
 * its share of the cores from the brokers it measures: requests are encoded once, answers are read at two positions.
 */

export interface LoadOrder {
  /** HOST:PORT of the master. */
  readonly listen: string
  readonly inFlight: number
  readonly bodySize: number
  /** Sends before the measured time are not counted, whatever their answer. */
  readonly warmUpMs: number
  readonly measureMs: number
}

export interface LoadResult {
  /** Sends answered with code 0. Any other answer ends the job with an error. */
  readonly messagesPerSecond: number
  readonly p50Us: number
  readonly p99Us: number
  readonly p999Us: number
  /** Processor time of this process per message: what the generator takes from those it loads. */
  readonly cpuUsPerMessage: number
}

const QUEUES = 4
const OPAQUE_AT = LENGTH_SIZE + 9
/** Of an answer without its length. */
const RESPONSE_CODE_AT = 4
const RESPONSE_OPAQUE_AT = 9
const LATENCIES_MAX = 16 * 1024 * 1024

serveJob(async (order: LoadOrder): Promise<LoadResult> => {
  const socket = await connected(order.listen)
  return new Promise((resolve, reject) => {
    const loop = new ClosedLoop(socket, order, resolve)
    const fail = (error: Error): void => {
      reject(error)
      socket.destroy()
    }
    socket.on('error', fail)
    socket.on('close', () => fail(new Error('the broker closed the connection')))
    socket.on('data', (chunk) => {
      try {
        loop.onData(chunk)
      } catch (error) {
        fail(error as Error)
      }
    })
    loop.start()
  })
})

class ClosedLoop {
  readonly #socket: Socket
  readonly #order: LoadOrder
  readonly #done: (result: LoadResult) => void
  readonly #cutter = new FrameCutter()
  /** One frame per place in flight; the opaque is the number of the place. */
  readonly #frames: readonly Buffer[]
  readonly #sentAtMs: Float64Array
  readonly #latenciesMs = new Float32Array(LATENCIES_MAX)
  #answered = 0
  #cpuBefore: NodeJS.CpuUsage | undefined
  #measureFromMs = Number.POSITIVE_INFINITY
  #nowMs = 0
  #outgoing: Buffer[] = []
  #isOver = false

  constructor(socket: Socket, order: LoadOrder, done: (result: LoadResult) => void) {
    this.#socket = socket
    this.#order = order
    this.#done = done
    this.#frames = Array.from({ length: order.inFlight }, (_, place) => sendFrame(place, order.bodySize))
    this.#sentAtMs = new Float64Array(order.inFlight)
    this.#latenciesMs.fill(0) // touched now, so no page fault falls into the measured time
  }

  start(): void {
    this.#nowMs = performance.now()
    this.#measureFromMs = this.#nowMs + this.#order.warmUpMs
    for (let place = 0; place < this.#order.inFlight; place++) this.#send(place)
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

  readonly #onAnswer = (answer: Buffer): void => {
    const place = answer.readInt32BE(RESPONSE_OPAQUE_AT)
    const code = answer.readInt16BE(RESPONSE_CODE_AT)
    const sentAtMs = this.#sentAtMs[place]
    if (sentAtMs === undefined) throw new Error(`an answer to nothing: opaque ${place}`)
    // A send that began during the warm-up belongs to it.
    if (sentAtMs >= this.#measureFromMs) {
      if (code !== ResponseCode.SUCCESS) throw new Error(`a send was answered with code ${code}`)
      this.#latenciesMs[this.#answered] = this.#nowMs - sentAtMs
      this.#answered++
    }
    this.#send(place)
  }

  #send(place: number): void {
    this.#sentAtMs[place] = this.#nowMs
    this.#outgoing.push(this.#frames[place] as Buffer)
  }

  #flush(): void {
    if (this.#outgoing.length === 0) return
    this.#socket.write(this.#outgoing.length === 1 ? (this.#outgoing[0] as Buffer) : Buffer.concat(this.#outgoing))
    this.#outgoing = []
  }

  #finish(): void {
    this.#isOver = true
    this.#socket.removeAllListeners('close')
    this.#socket.destroy()
    const cpu = process.cpuUsage(this.#cpuBefore)
    const sorted = this.#latenciesMs.subarray(0, this.#answered).sort()
    const quantileUs = (q: number): number => (sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0) * 1000
    this.#done({
      messagesPerSecond: (this.#answered * 1000) / (this.#nowMs - this.#measureFromMs),
      p50Us: quantileUs(0.5),
      p99Us: quantileUs(0.99),
      p999Us: quantileUs(0.999),
      cpuUsPerMessage: (cpu.user + cpu.system) / this.#answered,
    })
  }
}

/** What a stock producer sends: the short field names in a binary header, a unique key and the wish to wait among the properties. */
function sendFrame(place: number, bodySize: number): Buffer {
  const fields = encodeSendMessageRequestHeaderV2({
    producerGroup: 'bench-producers',
    topic: 'bench-topic',
    defaultTopic: 'TBW102',
    defaultTopicQueueNums: QUEUES,
    queueId: place % QUEUES,
    sysFlag: 0,
    bornTimestamp: Date.now(),
    flag: 0,
    properties: `UNIQ_KEY\u0001${place.toString(16).toUpperCase().padStart(32, '0')}\u0002WAIT\u0001true`,
    reconsumeTimes: 0,
    unitMode: false,
    maxReconsumeTimes: null,
    batch: false,
    brokerName: null,
  })
  const [frame] = encodeRemotingCommand(
    createRequest(RequestCode.SEND_MESSAGE_V2, fields, Buffer.alloc(bodySize, 'ha-broker bench '), 'ROCKETMQ'),
  )
  if (frame === undefined) throw new Error('a frame is at least one buffer')
  frame.writeInt32BE(place, OPAQUE_AT)
  return frame
}

function connected(listen: string): Promise<Socket> {
  const colon = listen.lastIndexOf(':')
  return new Promise((resolve, reject) => {
    const socket = connect({ host: listen.slice(0, colon), port: Number(listen.slice(colon + 1)), noDelay: true })
    socket.once('error', reject)
    socket.once('connect', () => resolve(socket))
  })
}
