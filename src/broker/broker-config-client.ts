import type { Logger } from '../base/logger.ts'
import type { Address } from '../platform/network.ts'
import type { Platform } from '../platform/platform.ts'
import { RemotingClient } from '../remoting/remoting-client.ts'
import { HARMLESS_BODY } from '../wire/harmless-body.ts'
import { createRequest } from '../wire/remoting-command.ts'
import { RequestCode } from '../wire/request-code.ts'
import { ResponseCode } from '../wire/response-code.ts'

/** The lines of a GET_BROKER_CONFIG answer (26). */
export function parseBrokerConfig(body: Buffer): ReadonlyMap<string, string> {
  return new Map(
    body
      .toString()
      .split('\n')
      .filter((line) => line.includes('='))
      .map((line) => [line.slice(0, line.indexOf('=')).trim(), line.slice(line.indexOf('=') + 1).trim()]),
  )
}

/**
 * Asks whoever is at `address` for a broker's configuration, once; null where the answer is a refusal. A HA port that is asked by mistake takes
 * no harm.
 * @throws (rejection) RemotingError as RemotingClient.invoke
 */
export async function askBrokerConfig(
  platform: Platform,
  logger: Logger,
  address: Address,
  timeoutMs: number,
): Promise<ReadonlyMap<string, string> | null> {
  const { network, clock } = platform
  const client = new RemotingClient({ ...address, network, clock, log: logger, connectTimeoutMs: timeoutMs })
  try {
    const response = await client.invoke(createRequest(RequestCode.GET_BROKER_CONFIG, {}, HARMLESS_BODY), timeoutMs)
    return response.code === ResponseCode.SUCCESS ? parseBrokerConfig(response.body) : null
  } finally {
    await client.close()
  }
}
