import type { Processor } from '../../remoting/processor-table.ts'
import { isJsonObject, type JsonObject, type JsonValue, parseFastjson } from '../../wire/fastjson-reader.ts'
import { optionalBoolean, requiredString } from '../../wire/headers/fields.ts'
import { createResponse, type RemotingCommand } from '../../wire/remoting-command.ts'
import { ResponseCode } from '../../wire/response-code.ts'
import type { ConsumerOffsetManager } from '../consumer-offset-manager.ts'
import { isGroupName } from '../group-names.ts'
import { jsonAnswer } from '../json-answer.ts'
import type { OffsetResetTable } from '../offset-reset-table.ts'
import { changedAttributes, GROUP_ATTRIBUTES, parseAttributeChanges } from '../stored-attributes.ts'
import { readSubscriptionGroupConfig, type SubscriptionGroupConfig } from '../subscription-group-config.ts'
import type { SubscriptionGroupManager } from '../subscription-group-manager.ts'
import { savedAnswer } from './topic-admin-processors.ts'

/** A group says no more of itself. */
const BODY_SIZE_MAX = 64 * 1024
const RETRY_QUEUES_MAX = 1024
const INT32_MAX = 2 ** 31 - 1

/** Whole numbers among the members of a group, with what they may be. */
const NUMBERS: readonly (readonly [name: keyof SubscriptionGroupConfig, min: number, max: number])[] = [
  ['retryQueueNums', 0, RETRY_QUEUES_MAX],
  ['retryMaxTimes', -1, INT32_MAX],
  ['brokerId', 0, INT32_MAX],
  ['whichBrokerWhenConsumeSlowly', 0, INT32_MAX],
  ['groupSysFlag', -INT32_MAX, INT32_MAX],
  ['consumeTimeoutMinute', 0, INT32_MAX],
]

/** UPDATE_AND_CREATE_SUBSCRIPTIONGROUP (AdminBrokerProcessor.updateAndCreateSubscriptionGroup). Answered when it is on file. */
export function updateGroupProcessor(groups: SubscriptionGroupManager): Processor {
  return (request, _peer, reply) => {
    const config = groupOf(request, groups)
    if (typeof config === 'string') return reply(createResponse(request, ResponseCode.INVALID_PARAMETER, config))
    if (!groups.update(config)) {
      return reply(createResponse(request, ResponseCode.SYSTEM_ERROR, 'this broker has as many consumer groups as it takes'))
    }
    void groups.flush().then((isSaved) => reply(savedAnswer(request, isSaved)))
  }
}

/** The group the body describes, or what is wrong with it. */
function groupOf({ body }: RemotingCommand, groups: SubscriptionGroupManager): SubscriptionGroupConfig | string {
  if (body.length > BODY_SIZE_MAX) return `a description of ${body.length} bytes is too long`
  const stated = parseFastjson(body.toString())
  if (!isJsonObject(stated) || typeof stated.groupName !== 'string') return 'the body describes no consumer group'
  const { groupName } = stated
  if (!isGroupName(groupName))
    return `[${groupName.slice(0, 255)}] is no name of a consumer group: 1 to 255 of % | a-z A-Z 0-9 _ -`
  const config = readSubscriptionGroupConfig(groupName, stated)
  for (const [name, min, max] of NUMBERS) {
    const value = config[name] as number
    if (!Number.isInteger(value) || value < min || value > max) return `${name} is ${min} to ${max}, not ${value}`
  }
  const changes = parseAttributeChanges(changesText(stated.attributes))
  if (changes === null) return 'attributes: write +name=value or -name'
  const altered = changedAttributes(groups.get(groupName)?.attributes ?? {}, changes, GROUP_ATTRIBUTES)
  return 'problem' in altered ? altered.problem : { ...config, attributes: altered.attributes }
}

/** In a group's body the changes are a map, `{"+name":"value","-name":""}`. */
function changesText(attributes: JsonValue | undefined): string | null {
  if (!isJsonObject(attributes)) return null
  const entries = Object.entries(attributes as JsonObject)
  return entries.map(([name, value]) => (name.startsWith('+') ? `${name}=${String(value)}` : name)).join(',')
}

/** DELETE_SUBSCRIPTIONGROUP, with its offsets where that is asked for (AdminBrokerProcessor.deleteSubscriptionGroup). Answered when that is on file. */
export function deleteGroupProcessor(
  groups: SubscriptionGroupManager,
  offsets: ConsumerOffsetManager,
  resets: OffsetResetTable,
): Processor {
  return (request, _peer, reply) => {
    const fields = request.extFields
    const group = requiredString(fields, 'groupName')
    groups.delete(group)
    resets.forgetGroup(group)
    // 4.x calls it removeOffset.
    if ((optionalBoolean(fields, 'cleanOffset') ?? optionalBoolean(fields, 'removeOffset')) === true) offsets.removeGroup(group)
    void Promise.all([groups.flush(), offsets.flush()]).then((saved) => reply(savedAnswer(request, saved.every(Boolean))))
  }
}

/** GET_SUBSCRIPTIONGROUP_CONFIG (AdminBrokerProcessor.getSubscriptionGroup). Unlike stock it makes none. */
export function groupConfigProcessor(groups: SubscriptionGroupManager): Processor {
  return (request, _peer, reply) => {
    const group = requiredString(request.extFields, 'group')
    const config = groups.get(group)
    if (config !== undefined) return reply(jsonAnswer(request, config))
    reply(createResponse(request, ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST, `No group in this broker. group: ${group}`))
  }
}
