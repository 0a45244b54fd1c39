import type { StoreError } from '../../base/errors.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Peer, Processor } from '../../remoting/processor-table.ts'
import type { QueueLookup } from '../../store/queue-lookup.ts'
import { optionalString, requiredString } from '../../wire/headers/fields.ts'
import { createResponse } from '../../wire/remoting-command.ts'
import { ResponseCode } from '../../wire/response-code.ts'
import type { ClientManager } from '../client-manager.ts'
import type { ConsumerOffsetManager } from '../consumer-offset-manager.ts'
import { jsonAnswer, type MessageQueue, queueTableText, textAnswer } from '../json-answer.ts'
import { LoopTurns } from '../loop-turns.ts'
import type { TopicConfigManager } from '../topic-config-manager.ts'
import { subscriptionText } from './client-query-processors.ts'

export interface StatusParts {
  readonly brokerName: string
  readonly topics: TopicConfigManager
  readonly offsets: ConsumerOffsetManager
  readonly clients: ClientManager
  readonly lookup: QueueLookup
  readonly clock: Clock
}

/** GET_TOPIC_STATS_INFO: first and next offset of each queue, and when its last message came (AdminBrokerProcessor.getTopicStatsInfo). */
export function topicStatsProcessor(parts: StatusParts): Processor {
  return (request, peer, reply) => {
    const topic = requiredString(request.extFields, 'topic')
    const config = parts.topics.find(topic)?.config
    if (config === undefined) {
      return reply(createResponse(request, ResponseCode.TOPIC_NOT_EXIST, `topic[${topic}] not exist`))
    }
    queueStats(parts, topic, Math.max(config.readQueueNums, config.writeQueueNums), peer).then(
      // No rates by topic are kept.
      (rows) => reply(textAnswer(request, `{"offsetTable":${queueTableText(rows)},"topicPutTps":0.0}`)),
      (error: Error) => reply(createResponse(request, ResponseCode.SYSTEM_ERROR, error.message)),
    )
  }
}

type Row = readonly [MessageQueue, unknown]

async function queueStats(parts: StatusParts, topic: string, queueNums: number, peer: Peer): Promise<Row[]> {
  const { brokerName, lookup, clock } = parts
  const turns = new LoopTurns(clock)
  const rows: Row[] = []
  for (let queueId = 0; queueId < queueNums; queueId++) {
    await turns.pause()
    const minOffset = lookup.minOffset(topic, queueId)
    const maxOffset = lookup.maxOffset(topic, queueId)
    const lastUpdateTimestamp = await storeTime(lookup, topic, queueId, maxOffset - 1, peer)
    rows.push([
      { brokerName, queueId, topic },
      { lastUpdateTimestamp, maxOffset, minOffset },
    ])
  }
  return rows
}

/** 0 where there is no such message. */
async function storeTime(lookup: QueueLookup, topic: string, queueId: number, index: number, peer: Peer): Promise<number> {
  const time = await new Promise<number>((resolve, reject) =>
    lookup.storeTime(topic, queueId, index, peer, (error: StoreError | null, value) =>
      error === null ? resolve(value) : reject(error),
    ),
  )
  return Math.max(0, time)
}

/**
 * GET_CONSUME_STATS: how far a group is in its topics (AdminBrokerProcessor.getConsumeStats): the given ones, or all it has offsets of. Topics that
 * its clients online do not subscribe are left out.
 */
export function consumeStatsProcessor(parts: StatusParts): Processor {
  return (request, peer, reply) => {
    const group = requiredString(request.extFields, 'consumerGroup')
    const topic = optionalString(request.extFields, 'topic')
    const list = optionalString(request.extFields, 'topicList')?.split(';') ?? []
    const given = topic === null ? list.filter((name) => name !== '') : [topic]
    const asked = given.length > 0 ? given : parts.offsets.topicsOf(group)
    consumeStats(parts, group, asked, peer).then(
      (rows) => reply(textAnswer(request, `{"consumeTps":0.0,"offsetTable":${queueTableText(rows)}}`)),
      (error: Error) => reply(createResponse(request, ResponseCode.SYSTEM_ERROR, error.message)),
    )
  }
}

async function consumeStats(parts: StatusParts, group: string, asked: readonly string[], peer: Peer): Promise<Row[]> {
  const { brokerName, topics, offsets, clients, lookup, clock } = parts
  const turns = new LoopTurns(clock)
  const subscribed = clients.groupInfo(group)?.subscriptions
  const rows: Row[] = []
  for (const topic of asked) {
    const config = topics.find(topic)?.config
    if (config === undefined || (subscribed !== undefined && subscribed.size > 0 && !subscribed.has(topic))) continue
    for (let queueId = 0; queueId < config.readQueueNums; queueId++) {
      await turns.pause()
      const brokerOffset = lookup.maxOffset(topic, queueId)
      const consumerOffset = offsets.query(group, topic, queueId) ?? 0
      const lastTimestamp = await storeTime(lookup, topic, queueId, consumerOffset - 1, peer)
      // Where clients have pulled to is not kept apart from what they have consumed.
      rows.push([
        { brokerName, queueId, topic },
        { brokerOffset, consumerOffset, lastTimestamp, pullOffset: consumerOffset },
      ])
    }
  }
  return rows
}

/** QUERY_TOPIC_CONSUME_BY_WHO: groups that subscribe the topic or have offsets of it (AdminBrokerProcessor.queryTopicConsumeByWho). */
export function topicConsumersProcessor({ clients, offsets }: StatusParts): Processor {
  return (request, _peer, reply) => {
    const topic = requiredString(request.extFields, 'topic')
    reply(jsonAnswer(request, { groupList: [...new Set([...clients.groupsOf(topic), ...offsets.groupsOf(topic)])] }))
  }
}

/** QUERY_TOPICS_BY_CONSUMER: topics the group has offsets of (AdminBrokerProcessor.queryTopicsByConsumer). */
export function consumedTopicsProcessor({ offsets }: StatusParts): Processor {
  return (request, _peer, reply) => {
    reply(jsonAnswer(request, { topicList: offsets.topicsOf(requiredString(request.extFields, 'group')) }))
  }
}

/** QUERY_SUBSCRIPTION_BY_CONSUMER: what the clients of the group subscribe of a topic (AdminBrokerProcessor.querySubscriptionByConsumer). */
export function subscriptionProcessor({ clients }: StatusParts): Processor {
  return (request, _peer, reply) => {
    const group = requiredString(request.extFields, 'group')
    const topic = requiredString(request.extFields, 'topic')
    const subscription = clients.subscriptionOf(group, topic)?.subscription ?? null
    const data = subscription === null ? '' : `"subscriptionData":${subscriptionText(subscription)},`
    reply(textAnswer(request, `{"group":${JSON.stringify(group)},${data}"topic":${JSON.stringify(topic)}}`))
  }
}
