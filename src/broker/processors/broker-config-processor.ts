import type { HAService } from '../../ha/ha-service.ts'
import type { Processor } from '../../remoting/processor-table.ts'
import { optionalInt, optionalString } from '../../wire/headers/fields.ts'
import { createResponse } from '../../wire/remoting-command.ts'
import { ResponseCode } from '../../wire/response-code.ts'
import type { DataVersion } from '../data-version.ts'

/** Keys that stock has and this broker never sets to anything else: a joining slave looks at them (DESIGN §4). */
const FIXED_KEYS: Readonly<Record<string, string>> = {
  duplicationEnable: 'false',
  enableControllerMode: 'false',
  enableDLegerCommitLog: 'false',
}

/**
 * GET_BROKER_CONFIG: the effective configuration as `key=value` lines. A slave of ours adds, in fields stock ignores, which HA connection is
 * its own, so that it counts as one replica however often it connects (A07).
 */
export function brokerConfigProcessor(
  configTexts: () => Readonly<Record<string, string>>,
  dataVersion: DataVersion,
  haService: HAService,
): Processor {
  return (request, peer, reply) => {
    const haLocalPort = optionalInt(request.extFields, 'haLocalPort')
    const brokerId = optionalInt(request.extFields, 'brokerId')
    if (haLocalPort !== null && brokerId !== null) {
      haService.announceSlave(peer.remote.host, haLocalPort, {
        brokerId,
        ackLevel: optionalString(request.extFields, 'ackLevel') ?? 'written',
      })
    }
    const lines = Object.entries({ ...configTexts(), ...FIXED_KEYS })
      .map(([key, value]) => `${key}=${value}\n`)
      .sort()
    reply(
      createResponse(request, ResponseCode.SUCCESS, null, { version: JSON.stringify(dataVersion) }, Buffer.from(lines.join(''))),
    )
  }
}
