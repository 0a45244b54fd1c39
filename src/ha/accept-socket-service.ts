import { HaError } from '../base/errors.ts'
import type { Service } from '../base/service.ts'
import type { Address, Connection, Listener, Network } from '../platform/network.ts'

/**
 * Listens on the HA port and hands each socket on (AcceptSocketService). How many there may be is decided by who gets them: only there is
 * known which of them are slaves.
 */
export class AcceptSocketService implements Service {
  readonly #network: Network
  readonly #listenOn: Address
  readonly #onConnection: (connection: Connection) => void
  #listener: Listener | null = null

  constructor(network: Network, listenOn: Address, onConnection: (connection: Connection) => void) {
    this.#network = network
    this.#listenOn = listenOn
    this.#onConnection = onConnection
  }

  /** The real address, also where port 0 was asked for. */
  get address(): Address {
    return this.#listener?.address ?? this.#listenOn
  }

  /** @throws HaError HA_PORT_IN_USE, naming the port */
  async start(): Promise<void> {
    const { host, port } = this.#listenOn
    try {
      this.#listener = await this.#network.listen(this.#listenOn, this.#onConnection)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
      throw new HaError(
        'HA_PORT_IN_USE',
        `the HA port ${host}:${port} is in use: stop who has it, or choose another with --ha-listen`,
        { host, port },
        error,
      )
    }
  }

  async stop(): Promise<void> {
    await this.#listener?.close()
    this.#listener = null
  }
}
