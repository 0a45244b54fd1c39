import type { OnResponse } from '../../src/remoting/pending-calls.ts'
import type { Peer } from '../../src/remoting/processor-table.ts'
import type { RemotingCommand } from '../../src/wire/remoting-command.ts'

let lastId = 0

/** A connection that keeps what it is sent, and ends when a test says so. */
export class TestPeer implements Peer {
  readonly remote = { host: '10.1.2.3', port: 4711 }
  readonly id = ++lastId
  /** Requests that want no answer, in order. */
  readonly oneways: RemotingCommand[] = []
  /** Requests that wait for an answer. */
  readonly calls: { request: RemotingCommand; timeoutMs: number; onResponse: OnResponse }[] = []
  /** False: the peer reads nothing more. */
  isReading = true
  isClosed = false
  #listeners: (() => void)[] = []

  onClose(fn: () => void): void {
    if (this.isClosed) fn()
    else this.#listeners.push(fn)
  }

  /** How many wait for its end. */
  get listenerCount(): number {
    return this.#listeners.length
  }

  close(): void {
    this.isClosed = true
    for (const fn of this.#listeners.splice(0)) fn()
  }

  sendOneway(request: RemotingCommand): boolean {
    if (this.isReading && !this.isClosed) this.oneways.push(request)
    return this.isReading && !this.isClosed
  }

  invoke(request: RemotingCommand, timeoutMs: number, onResponse: OnResponse): void {
    this.calls.push({ request, timeoutMs, onResponse })
  }
}
