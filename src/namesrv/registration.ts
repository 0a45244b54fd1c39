import { WireError } from '../base/errors.ts'
import {
  optionalBoolean,
  optionalInt,
  optionalLong,
  optionalString,
  requiredLong,
  requiredString,
} from '../wire/headers/fields.ts'
import { bodyCrc32, decodeRegisterBrokerBody, type RegisterBrokerBody } from '../wire/register-broker-body.ts'
import type { ExtFields, RemotingCommand } from '../wire/remoting-command.ts'
import { NAME_LENGTH_MAX, TIMEOUT_DEFAULT_MS, TIMEOUT_MAX_MS, TIMEOUT_MIN_MS, TOPIC_LENGTH_MAX } from './namesrv-limits.ts'

/** Go cuts the list of addresses at commas and colons, and takes quotes off. */
const ADDRESS = /^[^\s,"'{}]+:\d{1,5}$/
const NO_NAME = /\p{Cc}/u

/** Who speaks, as all of a broker's requests say it. */
export interface BrokerIdentity {
  readonly clusterName: string
  readonly brokerName: string
  readonly brokerAddr: string
}

/** A REGISTER_BROKER, read and checked. */
export interface Registration extends BrokerIdentity {
  readonly brokerId: number
  readonly haServerAddr: string
  readonly timeoutMs: number
  /** Null where the field is absent, which makes it an old broker: its slaves' topics make no routes. */
  readonly enableActingMaster: boolean | null
  readonly zoneName: string | null
  readonly body: RegisterBrokerBody
}

/** @throws WireError WIRE_BAD_FIELD */
export function identityOf({ extFields }: RemotingCommand): BrokerIdentity {
  return {
    clusterName: nameOf('clusterName', extFields),
    brokerName: nameOf('brokerName', extFields),
    brokerAddr: addressOf('brokerAddr', extFields),
  }
}

/**
 * Reads a REGISTER_BROKER (DefaultRequestProcessor.registerBroker).
 * @throws WireError WIRE_BAD_FIELD, WIRE_BAD_LENGTH or WIRE_BODY_SIZE
 */
export function registrationOf(request: RemotingCommand): Registration {
  const { extFields, body, version } = request
  const crc = optionalInt(extFields, 'bodyCrc32') ?? 0
  if (crc !== 0 && crc !== bodyCrc32(body)) throw new WireError('WIRE_BAD_FIELD', 'crc32 not match', { name: 'bodyCrc32' })
  const brokerId = requiredLong(extFields, 'brokerId')
  if (brokerId < 0) throw new WireError('WIRE_BAD_FIELD', `the field brokerId is negative: ${brokerId}`, { name: 'brokerId' })
  const zoneName = optionalString(extFields, '__ZONE_NAME')
  const timeoutMs = optionalLong(extFields, 'heartbeatTimeoutMillis') ?? TIMEOUT_DEFAULT_MS
  const registration = {
    ...identityOf(request),
    brokerId,
    haServerAddr: addressOf('haServerAddr', extFields),
    timeoutMs: Math.min(TIMEOUT_MAX_MS, Math.max(TIMEOUT_MIN_MS, timeoutMs)),
    enableActingMaster: optionalBoolean(extFields, 'enableActingMaster'),
    zoneName: zoneName === null ? null : nameOf('__ZONE_NAME', extFields),
    body: decodeRegisterBrokerBody(body, optionalBoolean(extFields, 'compressed') === true, version),
  }
  for (const { topicName } of registration.body.topics) requireTopicName(topicName)
  return registration
}

/** @throws WireError WIRE_BAD_FIELD */
export function requireTopicName(topic: string): void {
  if (topic === '' || topic.length > TOPIC_LENGTH_MAX || NO_NAME.test(topic))
    throw new WireError(
      'WIRE_BAD_FIELD',
      `a topic's name is empty, holds control characters or is longer than ${TOPIC_LENGTH_MAX}`,
    )
}

function nameOf(field: string, extFields: ExtFields): string {
  const name = requiredString(extFields, field)
  if (name.length > NAME_LENGTH_MAX || NO_NAME.test(name))
    throw new WireError('WIRE_BAD_FIELD', `the field ${field} holds control characters or is longer than ${NAME_LENGTH_MAX}`, {
      field,
    })
  return name
}

function addressOf(field: string, extFields: ExtFields): string {
  const address = requiredString(extFields, field)
  if (address.length > NAME_LENGTH_MAX || !ADDRESS.test(address))
    throw new WireError('WIRE_BAD_FIELD', `the field ${field} is not ip:port`, { field })
  return address
}
