import type { Logger } from '../base/logger.ts'
import { RateLimitedLog } from '../base/rate-limited-log.ts'
import { parseHostPort } from '../config/host-port.ts'
import type { Clock } from '../platform/clock.ts'
import type { Network } from '../platform/network.ts'
import { RemotingClient } from '../remoting/remoting-client.ts'
import { createRequest, type ExtFields, type RemotingCommand } from '../wire/remoting-command.ts'
import { RequestCode } from '../wire/request-code.ts'
import { NOTICES_MAX } from './namesrv-limits.ts'
import type { MinBrokerIdNotice } from './route-info-manager.ts'

/** As RouteInfoManager.notifyMinBrokerIdChanged: who cannot be reached so fast asks by itself (105, 901). */
const NOTICE_TIMEOUT_MS = 300

/**
 * Tells brokers that another of their group has the smallest id now: one-way, over connections of its own, as brokers serve this code at the
 * port they listen on.
 */
export class MinBrokerIdNotifier {
  readonly #network: Network
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #log: RateLimitedLog
  readonly #underWay = new Set<RemotingClient>()
  #stopped = false

  constructor(network: Network, clock: Clock, logger: Logger) {
    this.#network = network
    this.#clock = clock
    this.#logger = logger
    this.#log = new RateLimitedLog(logger, () => clock.monotonicMs())
  }

  /** Begins; what cannot be told is logged. */
  notify(notice: MinBrokerIdNotice): void {
    if (this.#stopped) return
    const request = createRequest(RequestCode.NOTIFY_MIN_BROKER_ID_CHANGE, fieldsOf(notice))
    for (const recipient of notice.recipients) void this.#send(recipient, request)
  }

  /** Tells no more, and closes its connections. */
  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all([...this.#underWay].map((client) => client.close()))
  }

  async #send(recipient: string, request: RemotingCommand): Promise<void> {
    const address = parseHostPort(recipient)
    if (address === null || this.#underWay.size >= NOTICES_MAX) {
      this.#log.warn('unsent', { recipient, limit: NOTICES_MAX }, 'a broker is not told of the new smallest id')
      return
    }
    const [network, clock, log] = [this.#network, this.#clock, this.#logger]
    const client = new RemotingClient({ ...address, network, clock, log, connectTimeoutMs: NOTICE_TIMEOUT_MS })
    this.#underWay.add(client)
    try {
      await client.invokeOneway(request)
    } catch (error) {
      this.#log.warn('unreachable', { recipient, err: error }, 'a broker cannot be told of the new smallest id')
    }
    await client.close()
    this.#underWay.delete(client)
  }
}

function fieldsOf({ minBrokerId, minBrokerAddr, offlineBrokerAddr, haBrokerAddr }: MinBrokerIdNotice): ExtFields {
  return {
    minBrokerId: String(minBrokerId),
    minBrokerAddr,
    ...(offlineBrokerAddr === null ? {} : { offlineBrokerAddr }),
    ...(haBrokerAddr === null ? {} : { haBrokerAddr }),
  }
}
