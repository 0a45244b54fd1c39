import { HaError } from '../base/errors.ts'
import type { Logger } from '../base/logger.ts'
import type { Address } from '../platform/network.ts'
import type { Platform } from '../platform/platform.ts'
import { RemotingClient } from '../remoting/remoting-client.ts'
import { HARMLESS_BODY } from '../wire/harmless-body.ts'
import { createRequest, type RemotingCommand } from '../wire/remoting-command.ts'
import { RequestCode } from '../wire/request-code.ts'
import { ResponseCode } from '../wire/response-code.ts'
import { parseBrokerConfig } from './broker-config-client.ts'

const CALL_TIMEOUT_MS = 3000

/** What brokers of all versions answer where they have no record; any other refusal says nothing about the log. */
const NO_RECORD_REMARK = 'can not find message by the offset'

/** What this slave says about itself. */
export interface SlaveIntroduction {
  readonly haLocalPort: number
  readonly brokerId: number
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
    const fields =
      introduction === null
        ? {}
        : { haLocalPort: String(introduction.haLocalPort), brokerId: String(introduction.brokerId), ackLevel: 'written' }
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

  close(): Promise<void> {
    return this.#client.close()
  }

  #call(code: number, fields: Record<string, string> = {}, body?: Buffer): Promise<RemotingCommand> {
    return this.#client.invoke(createRequest(code, fields, body), CALL_TIMEOUT_MS)
  }

  #refused(response: RemotingCommand): HaError {
    return this.#unfit(`answers ${response.code}: ${response.remark?.trim() ?? 'no reason'}`, response.code)
  }

  #unfit(problem: string, code: number): HaError {
    const { host, port } = this.address
    return new HaError('HA_MASTER_UNFIT', `the master ${host}:${port} ${problem}`, { code })
  }
}
