import { HaError } from '../base/errors.ts'
import type { Service } from '../base/service.ts'
import { isSystemError, listenProblem } from '../base/system-error.ts'
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

  /** @throws HaError HA_PORT_IN_USE or HA_CANNOT_LISTEN, naming the port */
  async start(): Promise<void> {
    const { host, port } = this.#listenOn
    try {
      this.#listener = await this.#network.listen(this.#listenOn, this.#onConnection)
    } catch (error) {
      if (!isSystemError(error)) throw error
      throw new HaError(
        error.code === 'EADDRINUSE' ? 'HA_PORT_IN_USE' : 'HA_CANNOT_LISTEN',
        `the HA port ${listenProblem(error, host, port)}, or choose another with --ha-listen`,
        { host, port, errno: error.code },
        error,
      )
    }
  }

  async stop(): Promise<void> {
    await this.#listener?.close()
    this.#listener = null
  }
}
