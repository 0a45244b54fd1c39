import { RemotingError } from '../base/errors.ts'
import type { Logger } from '../base/logger.ts'
import { parseHostPort } from '../config/host-port.ts'
import type { Address } from '../platform/network.ts'
import type { Platform } from '../platform/platform.ts'
import { RemotingClient } from '../remoting/remoting-client.ts'
import { isJsonObject, parseFastjson } from '../wire/fastjson-reader.ts'
import { optionalString } from '../wire/headers/fields.ts'
import { bodyCrc32, encodeTableVersion, type TableVersion } from '../wire/register-broker-body.ts'
import { createRequest, type ExtFields, type RemotingCommand } from '../wire/remoting-command.ts'
import { RequestCode } from '../wire/request-code.ts'
import { ResponseCode } from '../wire/response-code.ts'

/** For everything but a registration, whose time is configured. */
const CALL_TIMEOUT_MS = 3000
/** Bytes of an answer that are read in one turn of the loop: the brokers of a large cluster, all ordered topics. */
const ANSWER_SIZE_MAX = 1024 * 1024

/** Who this broker is to a name server. */
export interface BrokerIdentity {
  readonly brokerClusterName: string
  readonly brokerName: string
  readonly brokerId: number
  /** `ip:port` that clients connect to. */
  readonly brokerAddr: string
  /** `ip:port` that slaves connect to. */
  readonly haServerAddr: string
}

/** The body of a registration as it leaves. */
export interface RegistrationBody {
  readonly bytes: Buffer
  readonly isCompressed: boolean
}

/** What a name server answers to a registration. */
export interface RegistrationAnswer {
  /** The live master of the group, for a slave; null where the name server knows none. */
  readonly master: { readonly address: Address; readonly haAddress: Address } | null
  /** Topics that are ordered, by the word of the name server's KV table; null where it has none. */
  readonly orderTopics: ReadonlySet<string> | null
}

/** The brokers of one group, by brokerId. */
export interface BrokerGroup {
  readonly clusterName: string | null
  readonly addresses: ReadonlyMap<number, string>
}

/** The questions a broker asks one name server (BrokerOuterAPI), over one connection that is opened when needed. */
export class NameServerClient {
  readonly address: Address
  readonly #client: RemotingClient
  readonly #identity: BrokerIdentity

  /** @param onLost the connection has ended: the name server has forgotten this broker at that moment */
  constructor(platform: Platform, logger: Logger, address: Address, identity: BrokerIdentity, onLost: () => void) {
    this.address = address
    this.#identity = identity
    this.#client = new RemotingClient({ ...address, network: platform.network, clock: platform.clock, log: logger, onLost })
  }

  /**
   * REGISTER_BROKER (103).
   * @throws (rejection) RemotingError as RemotingClient.invoke, or REMOTING_REFUSED; WireError for a body beyond a frame
   */
  async register({ bytes, isCompressed }: RegistrationBody, timeoutMs: number): Promise<RegistrationAnswer> {
    const { haServerAddr } = this.#identity
    const fields = { ...this.#identityFields, haServerAddr, enableActingMaster: 'false', compressed: String(isCompressed) }
    const request = createRequest(RequestCode.REGISTER_BROKER, { ...fields, bodyCrc32: String(bodyCrc32(bytes)) }, bytes)
    const { extFields, body } = this.#granted(await this.#client.invoke(request, timeoutMs))
    const address = parseHostPort(optionalString(extFields, 'masterAddr') ?? '')
    const haAddress = parseHostPort(optionalString(extFields, 'haServerAddr') ?? '')
    const master = address === null || haAddress === null ? null : { address, haAddress }
    return { master, orderTopics: orderTopicsIn(body) }
  }

  /**
   * QUERY_DATA_VERSION (322); also tells the name server that this broker lives.
   * @returns whether the name server holds another version of the topic table, or none
   * @throws (rejection) as `register`
   */
  async lacks(version: TableVersion): Promise<boolean> {
    const body = Buffer.from(encodeTableVersion(version))
    const request = createRequest(RequestCode.QUERY_DATA_VERSION, this.#identityFields, body)
    const { extFields } = this.#granted(await this.#client.invoke(request, CALL_TIMEOUT_MS))
    return optionalString(extFields, 'changed') !== 'false'
  }

  /**
   * UNREGISTER_BROKER (104).
   * @throws (rejection) as `register`
   */
  async unregister(): Promise<void> {
    const request = createRequest(RequestCode.UNREGISTER_BROKER, this.#identityFields)
    this.#granted(await this.#client.invoke(request, CALL_TIMEOUT_MS))
  }

  /**
   * The group of this broker's name as the name server has it (106, which all versions serve), whatever its cluster.
   * @throws (rejection) as `register`; WireError for an answer that is none
   */
  async group(): Promise<BrokerGroup> {
    const request = createRequest(RequestCode.GET_BROKER_CLUSTER_INFO)
    const { body } = this.#granted(await this.#client.invoke(request, CALL_TIMEOUT_MS))
    const json = body.length === 0 || body.length > ANSWER_SIZE_MAX ? null : parseFastjson(body.toString())
    const table = isJsonObject(json) ? json.brokerAddrTable : undefined
    const group = isJsonObject(table) ? table[this.#identity.brokerName] : undefined
    if (!isJsonObject(group)) return { clusterName: null, addresses: new Map() }
    const addresses = new Map<number, string>()
    for (const [id, address] of isJsonObject(group.brokerAddrs) ? Object.entries(group.brokerAddrs) : []) {
      if (typeof address === 'string' && /^\d+$/.test(id)) addresses.set(Number(id), address)
    }
    return { clusterName: typeof group.cluster === 'string' ? group.cluster : null, addresses }
  }

  close(): Promise<void> {
    return this.#client.close()
  }

  get #identityFields(): ExtFields {
    const { brokerClusterName, brokerName, brokerId, brokerAddr } = this.#identity
    return { brokerName, brokerAddr, clusterName: brokerClusterName, brokerId: String(brokerId) }
  }

  #granted(response: RemotingCommand): RemotingCommand {
    if (response.code === ResponseCode.SUCCESS) return response
    const { host, port } = this.address
    const reason = response.remark?.trim() ?? 'no reason'
    throw new RemotingError('REMOTING_REFUSED', `the name server ${host}:${port} answers ${response.code}: ${reason}`, {
      host,
      port,
      code: response.code,
    })
  }
}

/** `{"table":{"TopicX":"broker-a:4;broker-b:4"}}`, absent where no topic is ordered. */
function orderTopicsIn(body: Buffer): ReadonlySet<string> | null {
  if (body.length === 0 || body.length > ANSWER_SIZE_MAX) return null
  const json = parseFastjson(body.toString())
  const table = isJsonObject(json) ? json.table : undefined
  return isJsonObject(table) ? new Set(Object.keys(table)) : null
}
