import { RemotingError } from '../base/errors.ts'
import { silentLogger } from '../base/logger.ts'
import type { HostPort } from '../config/config-types.ts'
import { nodeClock } from '../platform/node-clock.ts'
import { nodeNetwork } from '../platform/node-network.ts'
import { RemotingClient } from '../remoting/remoting-client.ts'
import { HARMLESS_BODY } from '../wire/harmless-body.ts'
import { createRequest } from '../wire/remoting-command.ts'
import { RequestCode } from '../wire/request-code.ts'

const ANSWER_TIMEOUT_MS = 3000

/**
 * A client of the broker at `address`, connected. Close it.
 * @throws RemotingError naming the address; then the client is closed
 */
export async function connectBroker(address: HostPort): Promise<RemotingClient> {
  const client = new RemotingClient({ ...address, network: nodeNetwork, clock: nodeClock, log: silentLogger })
  try {
    await client.invoke(createRequest(RequestCode.GET_BROKER_CONFIG, {}, HARMLESS_BODY), ANSWER_TIMEOUT_MS)
    return client
  } catch (error) {
    await client.close()
    if (!(error instanceof RemotingError) || error.code === 'REMOTING_CONNECT_FAILED') throw error
    throw new RemotingError(error.code, `${error.message}; is that the listen port of a broker?`, error.details, error)
  }
}
