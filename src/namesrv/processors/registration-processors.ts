import type { RateLimitedLog } from '../../base/rate-limited-log.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Peer, Processor } from '../../remoting/processor-table.ts'
import { decodeTableVersion, encodeTableVersion, sameTableVersion } from '../../wire/register-broker-body.ts'
import { createResponse, type RemotingCommand } from '../../wire/remoting-command.ts'
import { RequestCode } from '../../wire/request-code.ts'
import { ResponseCode } from '../../wire/response-code.ts'
import { type KvConfigManager, ORDER_TOPIC_CONFIG } from '../kv-config-manager.ts'
import { RegisteredChannels } from '../registered-channels.ts'
import { type BrokerIdentity, identityOf, registrationOf } from '../registration.ts'
import type { RouteChangeLog } from '../route-change-log.ts'
import type { Departure, MinBrokerIdNotice, RouteInfoManager } from '../route-info-manager.ts'
import { encodeKvTable } from '../route-json.ts'

export interface RegistrationOptions {
  /** Tell brokers which of their topics are ordered (RocketMQ 4: always). */
  readonly returnOrderTopicConfigToBroker: boolean
}

/** What the registration of brokers needs of the rest. */
export interface RegistrationParts {
  readonly routes: RouteInfoManager
  readonly kvConfig: KvConfigManager
  readonly clock: Clock
  readonly changes: RouteChangeLog
  readonly log: RateLimitedLog
  readonly notify: (notice: MinBrokerIdNotice) => void
}

/** Brokers come, show that they live, and go: by their own word, by silence, or with their connection. */
export class RegistrationProcessors {
  readonly #parts: RegistrationParts
  readonly #options: RegistrationOptions
  readonly #channels = new RegisteredChannels((channelId) => this.#channelClosed(channelId))

  constructor(parts: RegistrationParts, options: RegistrationOptions) {
    this.#parts = parts
    this.#options = options
  }

  get processors(): readonly (readonly [number, Processor])[] {
    return [
      [RequestCode.REGISTER_BROKER, (request, peer, reply) => reply(this.#register(request, peer))],
      [RequestCode.UNREGISTER_BROKER, (request, _peer, reply) => reply(this.#unregister(request))],
      [RequestCode.QUERY_DATA_VERSION, (request, _peer, reply) => reply(this.#queryDataVersion(request))],
      [RequestCode.BROKER_HEARTBEAT, (request, _peer, reply) => reply(this.#heartbeat(request))],
    ]
  }

  /** Takes out brokers that have been silent for too long, and closes their connections: one that still lives connects anew. */
  expire(): void {
    for (const departure of this.#parts.routes.expire(this.#parts.clock.monotonicMs())) {
      const { brokerName, member } = departure
      const fields = { brokerName, brokerId: member.brokerId, addr: member.addr, timeoutMs: member.timeoutMs }
      this.#parts.log.warn('expired', fields, 'a broker has been silent for too long, it is taken out of the routes')
      this.#departed(departure, 'silent')
      this.#channels.close(member.channelId)
    }
  }

  #register(request: RemotingCommand, peer: Peer): RemotingCommand {
    const { routes, clock, log, changes, notify } = this.#parts
    const registration = registrationOf(request)
    const { clusterName, brokerName, brokerId, brokerAddr } = registration
    const outcome = routes.register(registration, peer.id, clock.monotonicMs())
    if (outcome.kind === 'refused') {
      const { reason } = outcome
      log.warn('refused', { clusterName, brokerName, brokerId, brokerAddr, remote: peer.remote, reason }, 'a broker is refused')
      return createResponse(request, ResponseCode.SYSTEM_ERROR, reason)
    }
    if (outcome.kind === 'outdated') {
      const fields = { brokerName, brokerId, brokerAddr, holder: outcome.holder }
      log.warn('outdated', fields, 'a broker of an earlier epoch is passed over')
      if (outcome.departure !== null) this.#departed(outcome.departure, 'of an earlier epoch')
      return createResponse(request, ResponseCode.SUCCESS)
    }
    this.#channels.watch(peer)
    if (outcome.isNew) changes.joined(`${brokerName}:${brokerId} ${brokerAddr}`)
    if (outcome.notice !== null) notify(outcome.notice)
    const { masterAddr, haServerAddr } = outcome
    const fields = masterAddr === null || haServerAddr === null ? {} : { masterAddr, haServerAddr }
    return createResponse(request, ResponseCode.SUCCESS, null, fields, this.#orderTopics())
  }

  #orderTopics(): Buffer | undefined {
    const table = this.#options.returnOrderTopicConfigToBroker ? this.#parts.kvConfig.namespace(ORDER_TOPIC_CONFIG) : null
    return table === null ? undefined : encodeKvTable(table)
  }

  #unregister(request: RemotingCommand): RemotingCommand {
    const departure = this.#parts.routes.unregister(identityOf(request))
    if (departure !== null) this.#departed(departure, 'by its own word')
    return createResponse(request, ResponseCode.SUCCESS)
  }

  #queryDataVersion(request: RemotingCommand): RemotingCommand {
    const asked = decodeTableVersion(request.body)
    const held = this.#parts.routes.queryDataVersion(identityOf(request), this.#parts.clock.monotonicMs())
    const isChanged = held === null || !sameTableVersion(held, asked)
    const body = held === null ? undefined : Buffer.from(encodeTableVersion(held))
    return createResponse(request, ResponseCode.SUCCESS, null, { changed: String(isChanged) }, body)
  }

  #heartbeat(request: RemotingCommand): RemotingCommand {
    const identity: BrokerIdentity = identityOf(request)
    this.#parts.routes.heartbeat(identity, this.#parts.clock.monotonicMs())
    return createResponse(request, ResponseCode.SUCCESS)
  }

  #channelClosed(channelId: number): void {
    for (const departure of this.#parts.routes.channelClosed(channelId)) this.#departed(departure, 'connection closed')
  }

  #departed({ brokerName, member, notice }: Departure, reason: string): void {
    this.#parts.changes.left(`${brokerName}:${member.brokerId} ${member.addr} (${reason})`)
    if (notice !== null) this.#parts.notify(notice)
  }
}
