import type { Socket } from 'node:net'
import { FrameCutter } from '../../../src/wire/frame-cutter.ts'
import { ResponseCode } from '../../../src/wire/response-code.ts'
import { type Loop, serveLoop } from './closed-loop.ts'
import { RESPONSE_CODE_AT, RESPONSE_OPAQUE_AT, sendFrame } from './raw-sender.ts'

/* Sends one message into every queue of very many topics, one queue after the other, over one connection. */

export interface TopicOrder {
  /** HOST:PORT of the master. */
  readonly listen: string
  readonly topics: number
  readonly queues: number
  readonly cycles: number
  readonly inFlight: number
  readonly bodySize: number
}

export interface TopicResult {
  /** From the first send to the last answer, by the number of sends. */
  readonly usPerSend: number
  readonly p50Us: number
  readonly p99Us: number
  readonly maxUs: number
}

serveLoop((socket, order: TopicOrder, done: (result: TopicResult) => void) => new TopicCycle(socket, order, done))

class TopicCycle implements Loop {
  readonly #socket: Socket
  readonly #order: TopicOrder
  readonly #done: (result: TopicResult) => void
  readonly #cutter = new FrameCutter()
  readonly #sends: number
  readonly #sentAtMs: Float64Array
  readonly #latenciesMs: Float32Array
  #sent = 0
  #answered = 0
  #startedMs = 0
  #nowMs = 0
  #outgoing: Buffer[] = []

  constructor(socket: Socket, order: TopicOrder, done: (result: TopicResult) => void) {
    this.#socket = socket
    this.#order = order
    this.#done = done
    this.#sends = order.topics * order.queues * order.cycles
    this.#sentAtMs = new Float64Array(this.#sends)
    this.#latenciesMs = new Float32Array(this.#sends)
  }

  start(): void {
    this.#startedMs = performance.now()
    this.#nowMs = this.#startedMs
    while (this.#sent < Math.min(this.#sends, this.#order.inFlight)) this.#send()
    this.#flush()
  }

  onData(chunk: Buffer): void {
    this.#nowMs = performance.now()
    this.#cutter.push(chunk, this.#onAnswer)
    if (this.#answered === this.#sends) this.#finish()
    else this.#flush()
  }

  readonly #onAnswer = (answer: Buffer): void => {
    const number = answer.readInt32BE(RESPONSE_OPAQUE_AT)
    const code = answer.readInt16BE(RESPONSE_CODE_AT)
    const sentAtMs = this.#sentAtMs[number]
    if (sentAtMs === undefined) throw new Error(`an answer to nothing: opaque ${number}`)
    if (code !== ResponseCode.SUCCESS) throw new Error(`a send was answered with code ${code}`)
    this.#latenciesMs[this.#answered] = this.#nowMs - sentAtMs
    this.#answered++
    if (this.#sent < this.#sends) this.#send()
  }

  /** Topic by topic within one queue id: neighbours in time never share a file. */
  #send(): void {
    const { topics, queues, bodySize } = this.#order
    const number = this.#sent++
    const topic = `bench-topic-${String(number % topics).padStart(6, '0')}`
    const queueId = Math.floor(number / topics) % queues
    this.#sentAtMs[number] = this.#nowMs
    this.#outgoing.push(sendFrame({ opaque: number, topic, queueId, queueNums: queues, bodySize }))
  }

  #flush(): void {
    if (this.#outgoing.length === 0) return
    this.#socket.write(Buffer.concat(this.#outgoing))
    this.#outgoing = []
  }

  #finish(): void {
    this.#socket.removeAllListeners('close')
    this.#socket.destroy()
    const sorted = this.#latenciesMs.sort()
    const quantileUs = (q: number): number => (sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0) * 1000
    this.#done({
      usPerSend: ((this.#nowMs - this.#startedMs) * 1000) / this.#sends,
      p50Us: quantileUs(0.5),
      p99Us: quantileUs(0.99),
      maxUs: quantileUs(1),
    })
  }
}
