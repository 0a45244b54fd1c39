import { RemotingError } from '../base/errors.ts'
import type { HostPort } from '../config/config-types.ts'
import { formatHostPort } from '../config/host-port.ts'
import { nodeClock } from '../platform/node-clock.ts'
import type { RemotingClient } from '../remoting/remoting-client.ts'
import { createRequest } from '../wire/remoting-command.ts'
import { RequestCode } from '../wire/request-code.ts'
import { ResponseCode } from '../wire/response-code.ts'
import { type BrokerStatus, parseHaStatus, parseRuntimeTable } from './broker-status.ts'
import type { CliIo } from './cli-io.ts'
import { connectBroker } from './connect-broker.ts'
import { ExitCode } from './exit-code.ts'
import { statusText } from './status-text.ts'

export interface StatusOptions {
  readonly broker: HostPort
  readonly json: boolean
}

const STATUS_TIMEOUT_MS = 3000

/**
 * Shows what a broker holds and how far its slaves are. Resolves with the exit code.
 * @throws RemotingError where the broker cannot be reached or its answer cannot be read
 */
export async function runStatus({ broker, json }: StatusOptions, io: CliIo): Promise<number> {
  const client = await connectBroker(broker)
  try {
    const status = await askStatus(client, formatHostPort(broker))
    await io.print(json ? `${JSON.stringify(status)}\n` : statusText(status, formatHostPort(broker), nodeClock.wallMs()))
    return ExitCode.DONE
  } finally {
    await client.close()
  }
}

/**
 * Asks for both halves of the status. Brokers older than 5.0 have no replication status: then that half is null.
 * @param address for messages
 * @throws RemotingError REMOTING_CONNECT_FAILED, REMOTING_CLOSED (also for an answer that is none), REMOTING_TIMEOUT
 */
export async function askStatus(client: Pick<RemotingClient, 'invoke'>, address: string): Promise<BrokerStatus> {
  const runtime = await client.invoke(createRequest(RequestCode.GET_BROKER_RUNTIME_INFO), STATUS_TIMEOUT_MS)
  const table = runtime.code === ResponseCode.SUCCESS ? parseRuntimeTable(runtime.body) : null
  if (table === null) {
    const answer = runtime.remark ?? `code ${runtime.code}, ${runtime.body.length} bytes`
    throw new RemotingError(
      'REMOTING_CLOSED',
      `${address} does not answer as a broker does (${answer}); name the listen port of one`,
      {
        address,
        code: runtime.code,
      },
    )
  }
  const ha = await client.invoke(createRequest(RequestCode.GET_BROKER_HA_STATUS), STATUS_TIMEOUT_MS)
  return { runtime: table, ha: ha.code === ResponseCode.SUCCESS ? parseHaStatus(ha.body) : null }
}
