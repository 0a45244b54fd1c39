import type { Processor } from '../../remoting/processor-table.ts'
import type { MessageStore } from '../../store/message-store.ts'
import { optionalBoolean, optionalInt, optionalString, requiredInt, requiredString } from '../../wire/headers/fields.ts'
import { createResponse, type RemotingCommand } from '../../wire/remoting-command.ts'
import { ResponseCode } from '../../wire/response-code.ts'
import type { ConsumerOffsetManager } from '../consumer-offset-manager.ts'
import { jsonAnswer } from '../json-answer.ts'
import type { OffsetResetTable } from '../offset-reset-table.ts'
import { changedAttributes, parseAttributeChanges, TOPIC_ATTRIBUTES } from '../stored-attributes.ts'
import type { TopicConfig } from '../topic-config.ts'
import type { TopicConfigManager } from '../topic-config-manager.ts'
import { topicNameProblem } from '../topic-names.ts'

/** Queues of one topic. */
const QUEUES_MAX = 65_535
const PERM_MAX = 7

export interface TopicAdminParts {
  readonly topics: TopicConfigManager
  readonly offsets: ConsumerOffsetManager
  readonly resets: OffsetResetTable
  readonly store: MessageStore
}

/** UPDATE_AND_CREATE_TOPIC: makes a topic or changes one (AdminBrokerProcessor.updateAndCreateTopic). Answered when it is on file. */
export function updateTopicProcessor(topics: TopicConfigManager): Processor {
  return (request, _peer, reply) => {
    const config = topicOf(request, topics)
    if (typeof config === 'string') return reply(createResponse(request, ResponseCode.INVALID_PARAMETER, config))
    if (!topics.update(config)) {
      return reply(createResponse(request, ResponseCode.SYSTEM_ERROR, 'this broker has as many topics as it takes'))
    }
    void topics.flush().then((isSaved) => reply(savedAnswer(request, isSaved)))
  }
}

/** The topic the request describes, or what is wrong with it. */
function topicOf({ extFields }: RemotingCommand, topics: TopicConfigManager): TopicConfig | string {
  const topicName = requiredString(extFields, 'topic')
  const problem = topicNameProblem(topicName)
  if (problem !== null) return problem
  if (topics.isSystem(topicName)) return `The topic[${topicName}] is conflict with system topic.`
  const known = topics.find(topicName)?.config
  const readQueueNums = requiredInt(extFields, 'readQueueNums')
  const writeQueueNums = requiredInt(extFields, 'writeQueueNums')
  for (const count of [readQueueNums, writeQueueNums]) {
    if (count < 0 || count > QUEUES_MAX) return `a topic has 0 to ${QUEUES_MAX} queues, not ${count}`
  }
  const perm = requiredInt(extFields, 'perm')
  if (perm < 0 || perm > PERM_MAX) return `perm ${perm} is none: add up 4 read, 2 write, 1 inherit`
  const topicFilterType = optionalString(extFields, 'topicFilterType') ?? 'SINGLE_TAG'
  if (topicFilterType !== 'SINGLE_TAG' && topicFilterType !== 'MULTI_TAG') return `topicFilterType ${topicFilterType} is none`
  const changes = parseAttributeChanges(optionalString(extFields, 'attributes'))
  if (changes === null) return 'attributes: write +name=value or -name, with , between them'
  const altered = changedAttributes(known?.attributes ?? {}, changes, TOPIC_ATTRIBUTES)
  if ('problem' in altered) return altered.problem
  return {
    ...known, // members of later versions stay (E04)
    topicName,
    readQueueNums,
    writeQueueNums,
    perm,
    topicFilterType,
    topicSysFlag: optionalInt(extFields, 'topicSysFlag') ?? 0,
    order: optionalBoolean(extFields, 'order') === true,
    attributes: altered.attributes,
  }
}

/**
 * DELETE_TOPIC_IN_BROKER: the topic with its queues, and with all that groups have consumed of it (AdminBrokerProcessor.deleteTopic). Answered when
 * neither comes back by a crash; one of the same name begins at 0 (E05). An unknown topic is deleted already.
 */
export function deleteTopicProcessor({ topics, offsets, resets, store }: TopicAdminParts): Processor {
  return (request, _peer, reply) => {
    const topic = requiredString(request.extFields, 'topic')
    const problem = topicNameProblem(topic) ?? systemProblem(topic, topics)
    if (problem !== null) return reply(createResponse(request, ResponseCode.INVALID_PARAMETER, problem))
    // The queues first: what is sent from now on belongs to a topic made anew.
    const queuesGone = store.deleteTopic(topic)
    topics.delete(topic)
    offsets.removeTopic(topic)
    resets.forgetTopic(topic)
    queuesGone
      .then(() => Promise.all([topics.flush(), offsets.flush()]))
      .then(
        (saved) => reply(savedAnswer(request, saved.every(Boolean))),
        (error: Error) => reply(createResponse(request, ResponseCode.SYSTEM_ERROR, error.message)),
      )
  }
}

function systemProblem(topic: string, topics: TopicConfigManager): string | null {
  return topics.isSystem(topic) ? `The topic[${topic}] is conflict with system topic.` : null
}

/** GET_TOPIC_CONFIG (AdminBrokerProcessor.getTopicConfig). */
export function topicConfigProcessor(topics: TopicConfigManager): Processor {
  return (request, _peer, reply) => {
    const topic = requiredString(request.extFields, 'topic')
    const config = topics.find(topic)?.config
    if (config !== undefined) return reply(jsonAnswer(request, config))
    reply(createResponse(request, ResponseCode.TOPIC_NOT_EXIST, `No topic in this broker. topic: ${topic}`))
  }
}

/** GET_SYSTEM_TOPIC_LIST_FROM_BROKER (AdminBrokerProcessor.getSystemTopicListFromBroker). */
export function systemTopicsProcessor(topics: TopicConfigManager): Processor {
  return (request, _peer, reply) => reply(jsonAnswer(request, { topicList: topics.systemTopics }))
}

/** It is in force in any case; a disk that does not take it must not be told as done. */
export function savedAnswer(request: RemotingCommand, isSaved: boolean): RemotingCommand {
  return isSaved
    ? createResponse(request, ResponseCode.SUCCESS)
    : createResponse(request, ResponseCode.SYSTEM_ERROR, 'done, but it could not be saved: a restart would bring back what was')
}
