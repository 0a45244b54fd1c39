import type { ExtFields } from '../remoting-command.ts'
import { optionalBigLong, optionalLong, optionalString, requiredInt, requiredLong, requiredString } from './fields.ts'

/** Bits of a pull's sysFlag (PullSysFlag). */
export const PULL_COMMIT_OFFSET_FLAG = 1
export const PULL_SUSPEND_FLAG = 2
export const PULL_SUBSCRIPTION_FLAG = 4
export const PULL_CLASS_FILTER_FLAG = 8

/** What a consumer asks for (PullMessageRequestHeader). */
export interface PullMessageRequestHeader {
  readonly consumerGroup: string
  readonly topic: string
  readonly queueId: number
  /** Of the first message wanted; any integer. */
  readonly queueOffset: number
  readonly maxMsgNums: number
  readonly sysFlag: number
  /** To be stored for the group where PULL_COMMIT_OFFSET_FLAG is set. */
  readonly commitOffset: number
  /** How long the broker may keep the request where PULL_SUSPEND_FLAG is set and there is nothing to answer. */
  readonly suspendTimeoutMillis: number
  /** Where PULL_SUBSCRIPTION_FLAG is set; null stands for everything. */
  readonly subscription: string | null
  /** Version of the subscription. A Go client counts nanoseconds, which no safe integer holds. */
  readonly subVersion: bigint
  /** `TAG` or `SQL92`; null stands for TAG. */
  readonly expressionType: string | null
}

/**
 * The header of a PULL_MESSAGE or LITE_PULL_MESSAGE. What else a 5.x client may say (maxMsgBytes, the proxy's fields) stock does not use either.
 * @throws WireError WIRE_BAD_FIELD naming the field
 */
export function parsePullMessageRequestHeader(fields: ExtFields): PullMessageRequestHeader {
  return {
    consumerGroup: requiredString(fields, 'consumerGroup'),
    topic: requiredString(fields, 'topic'),
    queueId: requiredInt(fields, 'queueId'),
    queueOffset: requiredLong(fields, 'queueOffset'),
    maxMsgNums: requiredInt(fields, 'maxMsgNums'),
    sysFlag: requiredInt(fields, 'sysFlag'),
    commitOffset: optionalLong(fields, 'commitOffset') ?? 0,
    suspendTimeoutMillis: optionalLong(fields, 'suspendTimeoutMillis') ?? 0,
    subscription: optionalString(fields, 'subscription'),
    subVersion: optionalBigLong(fields, 'subVersion') ?? 0n,
    expressionType: optionalString(fields, 'expressionType'),
  }
}

/** The ext fields of a PULL_MESSAGE. */
export function encodePullMessageRequestHeader(header: PullMessageRequestHeader): ExtFields {
  const fields: Record<string, string> = {
    consumerGroup: header.consumerGroup,
    topic: header.topic,
    queueId: String(header.queueId),
    queueOffset: String(header.queueOffset),
    maxMsgNums: String(header.maxMsgNums),
    sysFlag: String(header.sysFlag),
    commitOffset: String(header.commitOffset),
    suspendTimeoutMillis: String(header.suspendTimeoutMillis),
    subVersion: String(header.subVersion),
  }
  if (header.subscription !== null) fields.subscription = header.subscription
  if (header.expressionType !== null) fields.expressionType = header.expressionType
  return fields
}
