import type { Peer } from '../remoting/processor-table.ts'

/** The connections over which brokers have registered, each watched once (BrokerHousekeepingService). */
export class RegisteredChannels {
  readonly #peers = new Map<number, Peer>()
  readonly #onClosed: (channelId: number) => void

  constructor(onClosed: (channelId: number) => void) {
    this.#onClosed = onClosed
  }

  watch(peer: Peer): void {
    if (this.#peers.has(peer.id)) return
    this.#peers.set(peer.id, peer)
    peer.onClose(() => {
      this.#peers.delete(peer.id)
      this.#onClosed(peer.id)
    })
  }

  close(channelId: number): void {
    this.#peers.get(channelId)?.close()
  }
}
