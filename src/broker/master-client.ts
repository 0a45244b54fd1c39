import { HaError } from '../base/errors.ts'
import type { Logger } from '../base/logger.ts'
import type { Address } from '../platform/network.ts'
import type { Platform } from '../platform/platform.ts'
import { RemotingClient } from '../remoting/remoting-client.ts'
import { HARMLESS_BODY } from '../wire/harmless-body.ts'
import { encodeTableVersion } from '../wire/register-broker-body.ts'
import { createRequest, type RemotingCommand } from '../wire/remoting-command.ts'
import { RequestCode } from '../wire/request-code.ts'
import { ResponseCode } from '../wire/response-code.ts'
import { parseBrokerConfig } from './broker-config-client.ts'
import type { DataVersion } from './data-version.ts'
import { KEEP_ATTRIBUTES, KNOWN_VERSION, UNCHANGED } from './table-fields.ts'

const CALL_TIMEOUT_MS = 3000
/** For a table of up to 16 MiB, which is made when it is asked for. */
const TABLE_TIMEOUT_MS = 10_000

/** What brokers of all versions answer where they have no record; any other refusal says nothing about the log. */
const NO_RECORD_REMARK = 'can not find message by the offset'

/** What this slave says about itself. */
export interface SlaveIntroduction {
  readonly haLocalPort: number
  readonly brokerId: number
  /** Its own broker port, which the master asks for consumer offsets when it has started; null where it is not open yet. */
  readonly brokerPort: number | null
}

/** The questions a slave asks its master's broker port. */
export class MasterClient {
  readonly address: Address
  readonly #client: RemotingClient

  constructor(platform: Platform, logger: Logger, address: Address) {
    this.address = address
    this.#client = new RemotingClient({ ...address, network: platform.network, clock: platform.clock, log: logger })
  }

  /**
   * The master's configuration as it says it (26).
   * @throws RemotingError as RemotingClient.invoke
   */
  async config(introduction: SlaveIntroduction | null): Promise<ReadonlyMap<string, string>> {
    const fields = introduction === null ? {} : introductionFields(introduction)
    const response = await this.#call(RequestCode.GET_BROKER_CONFIG, fields, HARMLESS_BODY)
    if (response.code !== ResponseCode.SUCCESS) throw this.#refused(response)
    return parseBrokerConfig(response.body)
  }

  /**
   * The master's record at `offset` as it lies in its log, or null where it has none there (33).
   * @throws HaError HA_MASTER_UNFIT where the master cannot tell, being busy for instance; RemotingError as RemotingClient.invoke
   */
  async record(offset: number): Promise<Buffer | null> {
    const response = await this.#call(RequestCode.VIEW_MESSAGE_BY_ID, { offset: String(offset) })
    if (response.code === ResponseCode.SUCCESS) return response.body
    if (response.code === ResponseCode.SYSTEM_ERROR && response.remark?.startsWith(NO_RECORD_REMARK)) return null
    throw this.#refused(response)
  }

  /**
   * Where the master's log begins and ends, as its runtime info tells (28).
   * @throws as `record`
   */
  async logRange(): Promise<{ readonly minOffset: number; readonly maxOffset: number }> {
    const response = await this.#call(RequestCode.GET_BROKER_RUNTIME_INFO)
    if (response.code !== ResponseCode.SUCCESS) throw this.#refused(response)
    const { table } = JSON.parse(response.body.toString()) as { table: Record<string, string> }
    const range = { minOffset: Number(table.commitLogMinOffset), maxOffset: Number(table.commitLogMaxOffset) }
    if (!Number.isSafeInteger(range.minOffset) || !Number.isSafeInteger(range.maxOffset)) {
      throw this.#unfit('does not tell where its log begins and ends', response.code)
    }
    return range
  }

  /**
   * One of the master's tables (21, 43, 45, 201). A master of ours sends attributes as they are only to slaves of ours, which say so, and
   * nothing where they have its version already.
   * @param known the version this slave has; null: none, or none that counts
   * @returns null where the master has this version
   * @throws (rejection) as `record`
   */
  async table(code: number, known: DataVersion | null): Promise<Buffer | null> {
    const fields = { [KEEP_ATTRIBUTES]: 'true', ...(known === null ? {} : { [KNOWN_VERSION]: encodeTableVersion(known) }) }
    const response = await this.#call(code, fields, undefined, TABLE_TIMEOUT_MS)
    if (response.code !== ResponseCode.SUCCESS) throw this.#refused(response)
    return response.extFields[UNCHANGED] === 'true' ? null : response.body
  }

  close(): Promise<void> {
    return this.#client.close()
  }

  #call(code: number, fields: Record<string, string> = {}, body?: Buffer, timeoutMs = CALL_TIMEOUT_MS): Promise<RemotingCommand> {
    return this.#client.invoke(createRequest(code, fields, body), timeoutMs)
  }

  #refused(response: RemotingCommand): HaError {
    return this.#unfit(`answers ${response.code}: ${response.remark?.trim() ?? 'no reason'}`, response.code)
  }

  #unfit(problem: string, code: number): HaError {
    const { host, port } = this.address
    return new HaError('HA_MASTER_UNFIT', `the master ${host}:${port} ${problem}`, { code })
  }
}

function introductionFields({ haLocalPort, brokerId, brokerPort }: SlaveIntroduction): Record<string, string> {
  const fields = { haLocalPort: String(haLocalPort), brokerId: String(brokerId), ackLevel: 'written' }
  return brokerPort === null ? fields : { ...fields, brokerPort: String(brokerPort) }
}
