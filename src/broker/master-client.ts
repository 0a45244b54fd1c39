import { HaError } from '../base/errors.ts'
import type { Logger } from '../base/logger.ts'
import type { Address } from '../platform/network.ts'
import type { Platform } from '../platform/platform.ts'
import { RemotingClient } from '../remoting/remoting-client.ts'
import { createRequest, type RemotingCommand } from '../wire/remoting-command.ts'
import { RequestCode } from '../wire/request-code.ts'
import { ResponseCode } from '../wire/response-code.ts'

const CALL_TIMEOUT_MS = 3000
/**
 * The body of every 26 of ours. Should the port be a HA port, a Java master takes these bytes for "no report yet"; any other frame it would
 * read as an offset and falsify an ack (seen on 5.3.3; DESIGN §4).
 */
const HARMLESS_BODY = Buffer.alloc(16, 0xff)

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
    return new Map(
      response.body
        .toString()
        .split('\n')
        .filter((line) => line.includes('='))
        .map((line) => [line.slice(0, line.indexOf('=')).trim(), line.slice(line.indexOf('=') + 1).trim()]),
    )
  }

  /** The master's record at `offset` as it lies in its log, or null where it has none there (33). */
  async record(offset: number): Promise<Buffer | null> {
    const response = await this.#call(RequestCode.VIEW_MESSAGE_BY_ID, { offset: String(offset) })
    return response.code === ResponseCode.SUCCESS ? response.body : null
  }

  /** Where the master's log begins and ends, as its runtime info tells (28). */
  async logRange(): Promise<{ readonly minOffset: number; readonly maxOffset: number }> {
    const response = await this.#call(RequestCode.GET_BROKER_RUNTIME_INFO)
    if (response.code !== ResponseCode.SUCCESS) throw this.#refused(response)
    const { table } = JSON.parse(response.body.toString()) as { table: Record<string, string> }
    return { minOffset: Number(table.commitLogMinOffset), maxOffset: Number(table.commitLogMaxOffset) }
  }

  close(): Promise<void> {
    return this.#client.close()
  }

  #call(code: number, fields: Record<string, string> = {}, body?: Buffer): Promise<RemotingCommand> {
    return this.#client.invoke(createRequest(code, fields, body), CALL_TIMEOUT_MS)
  }

  #refused(response: RemotingCommand): HaError {
    const { host, port } = this.address
    return new HaError(
      'HA_MASTER_UNFIT',
      `the master ${host}:${port} answers ${response.code}: ${response.remark ?? 'no reason'}`,
      { code: response.code },
    )
  }
}
