import type { RateLimitedLog } from '../../base/rate-limited-log.ts'
import type { SlaveIdentity } from '../../ha/ha-connection.ts'
import type { HAService } from '../../ha/ha-service.ts'
import type { Address } from '../../platform/network.ts'
import type { Processor } from '../../remoting/processor-table.ts'
import { optionalInt, optionalLong, optionalString } from '../../wire/headers/fields.ts'
import { createResponse, type ExtFields } from '../../wire/remoting-command.ts'
import { ResponseCode } from '../../wire/response-code.ts'
import type { DataVersion } from '../data-version.ts'

/** Keys that stock has and this broker never sets to anything else: a joining slave looks at them. */
const FIXED_KEYS: Readonly<Record<string, string>> = {
  duplicationEnable: 'false',
  enableControllerMode: 'false',
  enableDLegerCommitLog: 'false',
}

/** Longest `ackLevel` that is kept: whoever sends it could make it a megabyte. */
const ACK_LEVEL_LENGTH_MAX = 16
const PORT_MAX = 65_535

/**
 * GET_BROKER_CONFIG: the effective configuration as `key=value` lines. A slave of ours adds, in fields stock ignores, which HA connection is
 * its own, so that it counts as one replica however often it connects (A07), and where its broker port is.
 * @param onSlaveSeen called with that
 */
export function brokerConfigProcessor(
  configTexts: () => Readonly<Record<string, string>>,
  dataVersion: () => DataVersion,
  haService: HAService,
  log: RateLimitedLog,
  onSlaveSeen: (address: Address) => void,
): Processor {
  return (request, peer, reply) => {
    const introduced = introductionOf(request.extFields, peer.remote.host)
    if (introduced !== null) {
      reportTwin(haService, introduced, log)
      haService.announceSlave(introduced.place.host, introduced.place.port, introduced.identity)
      if (introduced.brokerPort !== null) onSlaveSeen({ host: peer.remote.host, port: introduced.brokerPort })
    }
    const lines = Object.entries({ ...configTexts(), ...FIXED_KEYS })
      .map(([key, value]) => `${key}=${value}\n`)
      .sort()
    reply(
      createResponse(
        request,
        ResponseCode.SUCCESS,
        null,
        { version: JSON.stringify(dataVersion()) },
        Buffer.from(lines.join('')),
      ),
    )
  }
}

interface Introduction {
  /** The slave's end of its HA connection. */
  readonly place: Address
  readonly identity: SlaveIdentity
  /** Where clients reach the slave, on the host it comes from; null where it does not say. */
  readonly brokerPort: number | null
}

/** Null where nobody introduces itself, or as no slave can: its brokerId is 1 or more. */
function introductionOf(fields: ExtFields, host: string): Introduction | null {
  const port = optionalLong(fields, 'haLocalPort')
  const brokerId = optionalLong(fields, 'brokerId')
  if (port === null || brokerId === null || brokerId < 1) return null
  const ackLevel = (optionalString(fields, 'ackLevel') ?? 'written').slice(0, ACK_LEVEL_LENGTH_MAX)
  const brokerPort = optionalInt(fields, 'brokerPort')
  const isPort = brokerPort !== null && brokerPort > 0 && brokerPort <= PORT_MAX
  return { place: { host, port }, identity: { brokerId, ackLevel }, brokerPort: isPort ? brokerPort : null }
}

/** H04: two slaves of one brokerId count as one, which nobody wants; the second is reported when it comes. */
function reportTwin(haService: HAService, { place, identity: { brokerId } }: Introduction, log: RateLimitedLog): void {
  const here = `${place.host}:${place.port}`
  const twin = haService.slaves().find((slave) => slave.brokerId === brokerId && slave.addr !== here)
  if (twin === undefined) return
  const advice =
    'either it has come back over another connection, or two slaves have one brokerId and count as one: give each its own'
  log.warn('twin', { brokerId, slave: here, other: twin.addr, advice }, 'a brokerId has come twice')
}
