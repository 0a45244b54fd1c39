import type { Socket } from 'node:net'
import { FrameCutter } from '../../../src/wire/frame-cutter.ts'
import { ResponseCode } from '../../../src/wire/response-code.ts'
import { type Loop, serveLoop } from './closed-loop.ts'
import { RESPONSE_CODE_AT, RESPONSE_OPAQUE_AT, sendFrame } from './raw-sender.ts'

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
const LATENCIES_MAX = 16 * 1024 * 1024

serveLoop((socket, order: LoadOrder, done: (result: LoadResult) => void) => new ClosedLoop(socket, order, done))

class ClosedLoop implements Loop {
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
    this.#frames = Array.from({ length: order.inFlight }, (_, place) => loadFrame(place, order.bodySize))
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

function loadFrame(place: number, bodySize: number): Buffer {
  return sendFrame({ opaque: place, topic: 'bench-topic', queueId: place % QUEUES, queueNums: QUEUES, bodySize })
}
