import type { Logger } from '../../base/logger.ts'
import { RateLimitedLog } from '../../base/rate-limited-log.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Processor } from '../../remoting/processor-table.ts'
import { encodeTableVersion } from '../../wire/register-broker-body.ts'
import { createResponse, type RemotingCommand } from '../../wire/remoting-command.ts'
import { RequestCode } from '../../wire/request-code.ts'
import { ResponseCode } from '../../wire/response-code.ts'
import type { ConsumerOffsetManager } from '../consumer-offset-manager.ts'
import type { DataVersion } from '../data-version.ts'
import type { DelayOffsetManager } from '../delay-offset-manager.ts'
import { joinedInSlices } from '../in-slices.ts'
import type { SubscriptionGroupManager } from '../subscription-group-manager.ts'
import { KEEP_ATTRIBUTES, KNOWN_VERSION, UNCHANGED } from '../table-fields.ts'
import type { TopicConfigManager } from '../topic-config-manager.ts'
import { delayOffsetTable, groupTable, offsetTable, topicTable } from '../wire-tables.ts'

/** A frame holds 16 MiB; the rest is for its header. */
const BODY_SIZE_MAX = 16 * 1024 ** 2 - 64 * 1024

/** Seven int64: two times, two places, the version of the timer table (TimerCheckpoint.encode). */
const TIMER_CHECK_POINT_SIZE = 56

/** What slaves ask for; also those of Java, on the port and on the fast port. */
export interface TableParts {
  readonly clock: Clock
  readonly logger: Logger
  readonly topics: TopicConfigManager
  readonly groups: SubscriptionGroupManager
  readonly offsets: ConsumerOffsetManager
  readonly delayOffsets: DelayOffsetManager
}

/** A table as it is served. */
interface ServedTable {
  readonly name: string
  /** Null where it changes without its version. */
  version(): DataVersion | null
  pieces(keepsAttributes: boolean): Iterable<string>
}

/** The requests by which a slave synchronizes (AdminBrokerProcessor.getAllTopicConfig and its neighbours). */
export function tableProcessors(parts: TableParts): readonly (readonly [code: number, processor: Processor])[] {
  const { clock, topics, groups, offsets, delayOffsets } = parts
  const log = new RateLimitedLog(parts.logger, () => clock.monotonicMs())
  const served = (table: ServedTable): Processor => tableProcessor(clock, log, table)
  return [
    [
      RequestCode.GET_ALL_TOPIC_CONFIG,
      served({ name: 'topics', version: () => topics.dataVersion, pieces: (keeps) => topicTable(topics, keeps) }),
    ],
    [
      RequestCode.GET_ALL_SUBSCRIPTIONGROUP_CONFIG,
      served({ name: 'groups', version: () => groups.dataVersion, pieces: (keeps) => groupTable(groups, keeps) }),
    ],
    [
      RequestCode.GET_ALL_CONSUMER_OFFSET,
      served({ name: 'consumer offsets', version: () => null, pieces: () => offsetTable(offsets) }),
    ],
    [
      RequestCode.GET_ALL_DELAY_OFFSET,
      served({ name: 'delay offsets', version: () => null, pieces: () => delayOffsetTable(delayOffsets) }),
    ],
    // Of parts this broker does not have: what a 5.x slave takes for "nothing there", and does not log an error about.
    [RequestCode.GET_ALL_MESSAGE_REQUEST_MODE, constant(Buffer.from('{"messageRequestModeMap":{}}'))],
    [
      RequestCode.GET_TIMER_METRICS,
      constant(Buffer.from('{"dataVersion":{"counter":0,"stateVersion":0,"timestamp":0},"timingCount":{}}')),
    ],
    [RequestCode.GET_TIMER_CHECK_POINT, (request, _peer, reply) => reply(timerCheckPoint(request, clock.wallMs()))],
  ]
}

function constant(body: Buffer): Processor {
  return (request, _peer, reply) => reply(createResponse(request, ResponseCode.SUCCESS, null, {}, body))
}

/** That of a timer wheel which is empty and turns: with 0 for its time, a 5.3 slave reports that it is decades behind. */
function timerCheckPoint(request: RemotingCommand, nowMs: number): RemotingCommand {
  const body = Buffer.alloc(TIMER_CHECK_POINT_SIZE)
  body.writeBigInt64BE(BigInt(nowMs - (nowMs % 1000)), 0) // timerPrecisionMs
  return createResponse(request, ResponseCode.SUCCESS, null, {}, body)
}

interface Built {
  readonly key: string
  readonly body: Promise<Buffer | null>
}

/** Makes the body over several turns of the loop, once for all who ask for one version, or meanwhile. */
function tableProcessor(clock: Clock, log: RateLimitedLog, table: ServedTable): Processor {
  let built: Built | null = null
  const build = (keepsAttributes: boolean): Promise<Buffer | null> => {
    const version = table.version()
    const key = `${keepsAttributes} ${version === null ? '' : encodeTableVersion(version)}`
    if (built?.key === key) return built.body
    const own: Built = { key, body: joinedInSlices(clock, table.pieces(keepsAttributes), BODY_SIZE_MAX) }
    built = own
    if (version !== null) return own.body
    const forget = (): void => {
      if (built === own) built = null
    }
    own.body.then(forget, forget)
    return own.body
  }
  return (request, _peer, reply) => {
    const { extFields } = request
    const version = table.version()
    if (version !== null && extFields[KNOWN_VERSION] === encodeTableVersion(version)) {
      return reply(createResponse(request, ResponseCode.SUCCESS, null, { [UNCHANGED]: 'true' }))
    }
    build(extFields[KEEP_ATTRIBUTES] === 'true').then(
      (body) =>
        reply(body === null ? tooLarge(request, table, log) : createResponse(request, ResponseCode.SUCCESS, null, {}, body)),
      (error: Error) => reply(createResponse(request, ResponseCode.SYSTEM_ERROR, error.message)),
    )
  }
}

function tooLarge(request: RemotingCommand, { name }: ServedTable, log: RateLimitedLog): RemotingCommand {
  const remark = `the table of ${name} is larger than ${BODY_SIZE_MAX} bytes`
  log.error('size', { table: name, limit: BODY_SIZE_MAX }, 'a table is too large to be sent: slaves cannot take it over')
  return createResponse(request, ResponseCode.SYSTEM_ERROR, remark)
}
