import type { StoreError } from '../../base/errors.ts'
import type { RateLimitedLog } from '../../base/rate-limited-log.ts'
import type { Peer, Processor, Reply } from '../../remoting/processor-table.ts'
import type { GetMessageResult, GetMessageStatus } from '../../store/message-query.ts'
import type { MessageStore } from '../../store/message-store.ts'
import {
  PULL_CLASS_FILTER_FLAG,
  PULL_COMMIT_OFFSET_FLAG,
  PULL_SUBSCRIPTION_FLAG,
  PULL_SUSPEND_FLAG,
  type PullMessageRequestHeader,
  parsePullMessageRequestHeader,
} from '../../wire/headers/pull-message-request-header.ts'
import { encodePullMessageResponseHeader } from '../../wire/headers/pull-message-response-header.ts'
import { createResponse, type RemotingCommand } from '../../wire/remoting-command.ts'
import { RequestCode } from '../../wire/request-code.ts'
import { ResponseCode } from '../../wire/response-code.ts'
import type { PullClients, PullGroup, PullGroups, PullOffsets, PullResets } from '../pull-ports.ts'
import type { PullRequestHoldService } from '../pull-request-hold-service.ts'
import { isTagExpression, parseSubscription, type SubscriptionData } from '../subscription-data.ts'
import { PERM_READ, type TopicConfig, topicConfig } from '../topic-config.ts'
import type { TopicConfigManager } from '../topic-config-manager.ts'

export interface PullMessageOptions {
  readonly brokerId: number
  readonly brokerIP1: string
  readonly brokerPermission: number
  readonly litePullMessageEnable: boolean
  readonly longPollingEnable: boolean
  readonly shortPollingTimeMills: number
  readonly slaveReadEnable: boolean
}

/** What the processor needs of the rest of the broker. */
export interface PullMessageParts {
  readonly store: MessageStore
  readonly topics: TopicConfigManager
  readonly groups: PullGroups
  readonly clients: PullClients
  readonly offsets: PullOffsets
  readonly resets: PullResets
  readonly holdService: PullRequestHoldService
  readonly log: RateLimitedLog
  /** On a slave: whether the log flows from the master. */
  isMasterLinkUp(): boolean
}

interface Refusal {
  readonly code: number
  readonly remark: string
}

/** A pull that passed the checks. */
interface AdmittedPull {
  readonly group: PullGroup
  readonly tagsCodes: ReadonlySet<number> | null
}

/** Statuses of a queue that has nothing at this place yet: the pull may wait for it. */
const AT_OR_BEHIND_END: ReadonlySet<GetMessageStatus> = new Set([
  'OFFSET_OVERFLOW_ONE',
  'OFFSET_OVERFLOW_BADLY',
  'NO_MATCHED_LOGIC_QUEUE',
  'NO_MESSAGE_IN_QUEUE',
])
/** Subscriptions remembered by their text: a consumer sends the same one with every pull. */
const SUBSCRIPTIONS_MAX = 1000
/** Longer ones are read anew each time. */
const SUBSCRIPTION_KEPT_MAX = 1024

/** PULL_MESSAGE and LITE_PULL_MESSAGE (PullMessageProcessor): every check in stock's order, then one query; where it finds nothing, the pull may wait. */
export class PullMessageProcessor {
  readonly #parts: PullMessageParts
  readonly #options: PullMessageOptions
  readonly #peers = new WeakSet<Peer>()
  readonly #subscriptions = new Map<string, ReadonlySet<number> | null>()

  constructor(parts: PullMessageParts, options: PullMessageOptions) {
    this.#parts = parts
    this.#options = options
  }

  readonly process: Processor = (request, peer, reply) => {
    this.#watch(peer)
    this.#serve(request, peer, reply, true)
  }

  /** What waits for the disk on behalf of a connection that ends is not read any more. */
  #watch(peer: Peer): void {
    if (this.#peers.has(peer)) return
    this.#peers.add(peer)
    peer.onClose(() => this.#parts.store.readSlots.forget(peer))
  }

  /** @param isFirst not so when a pull that was held is served again: then it commits nothing and waits no more */
  #serve(request: RemotingCommand, peer: Peer, reply: Reply, isFirst: boolean): void {
    const header = parsePullMessageRequestHeader(request.extFields)
    const admitted = this.#admit(request, header, peer)
    if ('code' in admitted) return reply(createResponse(request, admitted.code, admitted.remark))
    const { consumerGroup, topic, queueId, queueOffset, maxMsgNums, sysFlag, commitOffset } = header
    const resetTo = this.#parts.resets.take(consumerGroup, topic, queueId)
    if (resetTo !== null) return this.#sendBackTo(resetTo, request, header, admitted.group, reply)
    if (isFirst && (sysFlag & PULL_COMMIT_OFFSET_FLAG) !== 0) {
      this.#parts.offsets.commit(consumerGroup, topic, queueId, commitOffset)
    }
    const query = {
      topic,
      queueId,
      offset: queueOffset,
      countMax: maxMsgNums,
      tagsCodes: admitted.tagsCodes,
      reader: peer,
    }
    this.#parts.store.getMessages(query, (error, result) => {
      if (result === null) return this.#fail(request, header, error, reply)
      if (isFirst && this.#hold(request, header, admitted, result, peer, reply)) return
      this.#answer(request, header, admitted.group, result, reply)
    })
  }

  /** Somebody has reset the group: what it has consumed does not count, and it goes on there (OFFSET_RESET of 5.x). */
  #sendBackTo(
    offset: number,
    request: RemotingCommand,
    { topic, queueId }: PullMessageRequestHeader,
    group: PullGroup,
    reply: Reply,
  ): void {
    const { lookup } = this.#parts.store
    const fields = encodePullMessageResponseHeader({
      suggestWhichBrokerId: this.#suggestion(group, false),
      nextBeginOffset: offset,
      minOffset: lookup.minOffset(topic, queueId),
      maxOffset: lookup.maxOffset(topic, queueId),
    })
    reply(createResponse(request, ResponseCode.PULL_OFFSET_MOVED, 'OFFSET_RESET', fields))
  }

  #admit(request: RemotingCommand, header: PullMessageRequestHeader, peer: Peer): AdmittedPull | Refusal {
    const { brokerPermission, brokerIP1, litePullMessageEnable } = this.#options
    const { consumerGroup, topic, queueId } = header
    if ((brokerPermission & PERM_READ) === 0) return noPermission(`the broker[${brokerIP1}] pulling message is forbidden`)
    if (request.code === RequestCode.LITE_PULL_MESSAGE && !litePullMessageEnable)
      return noPermission(`the broker[${brokerIP1}] for lite pull consumer is forbidden`)
    const group = this.#parts.groups.find(consumerGroup)
    if (group === undefined) {
      return {
        code: ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST,
        remark: `subscription group [${consumerGroup}] does not exist, and is not made by itself`,
      }
    }
    if (!group.consumeEnable) return noPermission(`subscription group no permission, ${consumerGroup}`)
    const config = this.#parts.topics.find(topic)?.config ?? this.#topicInLog(topic)
    if (config === null) {
      return {
        code: ResponseCode.TOPIC_NOT_EXIST,
        remark: `topic[${topic}] not exist, apply first please! (from ${peer.remote.host}:${peer.remote.port})`,
      }
    }
    if ((config.perm & PERM_READ) === 0) return noPermission(`the topic[${topic}] pulling message is forbidden`)
    if (queueId < 0 || queueId >= config.readQueueNums) {
      return {
        code: ResponseCode.INVALID_PARAMETER,
        remark: `queueId[${queueId}] is illegal, topic:[${topic}] topicConfig.readQueueNums:[${config.readQueueNums}] consumer:[${peer.remote.host}:${peer.remote.port}]`,
      }
    }
    return (header.sysFlag & PULL_SUBSCRIPTION_FLAG) === 0
      ? this.#admitByHeartbeat(header, group)
      : this.#admitByText(header, group)
  }

  /** A slave may hold messages of a topic before its master has told about the topic, or without ever hearing of it (`--ha-master`). */
  #topicInLog(topic: string): TopicConfig | null {
    const queueNums = this.#isSlave ? this.#parts.store.queues.queueNums(topic) : 0
    return queueNums === 0 ? null : topicConfig(topic, queueNums, PERM_READ)
  }

  /** The pull says itself what it wants. */
  #admitByText(header: PullMessageRequestHeader, group: PullGroup): AdmittedPull | Refusal {
    const { topic, subscription, expressionType, subVersion, sysFlag } = header
    if ((sysFlag & PULL_CLASS_FILTER_FLAG) !== 0) return { group, tagsCodes: null } // filter servers, long gone, did it elsewhere
    const known = isTagExpression(expressionType) && this.#subscriptions.get(subscription ?? '')
    if (known !== false && known !== undefined) return { group, tagsCodes: known }
    const parsed = parseSubscription(topic, subscription, expressionType, subVersion)
    if (parsed === null) {
      return { code: ResponseCode.SUBSCRIPTION_PARSE_FAILED, remark: "parse the consumer's subscription failed" }
    }
    if (!isTagExpression(parsed.expressionType)) return notEvaluated(parsed)
    this.#remember(subscription ?? '', parsed.tagsCodes)
    return { group, tagsCodes: parsed.tagsCodes }
  }

  #remember(text: string, tagsCodes: ReadonlySet<number> | null): void {
    if (text.length > SUBSCRIPTION_KEPT_MAX) return
    if (this.#subscriptions.size >= SUBSCRIPTIONS_MAX) this.#subscriptions.clear()
    this.#subscriptions.set(text, tagsCodes)
  }

  /** What it wants the heartbeats of its group have said. */
  #admitByHeartbeat({ consumerGroup, topic, subVersion }: PullMessageRequestHeader, group: PullGroup): AdmittedPull | Refusal {
    const online = this.#parts.clients.subscriptionOf(consumerGroup, topic)
    if (online === null) {
      return { code: ResponseCode.SUBSCRIPTION_NOT_EXIST, remark: `the consumer's group info not exist: ${consumerGroup}` }
    }
    if (online.isBroadcasting && !group.consumeBroadcastEnable) {
      return noPermission(`the consumer group[${consumerGroup}] can not consume by broadcast way`)
    }
    const { subscription } = online
    if (subscription === null) {
      return {
        code: ResponseCode.SUBSCRIPTION_NOT_EXIST,
        remark: `the consumer's subscription not exist, group: ${consumerGroup}, topic: ${topic}`,
      }
    }
    if (subscription.subVersion < subVersion) {
      return { code: ResponseCode.SUBSCRIPTION_NOT_LATEST, remark: "the consumer's subscription not latest" }
    }
    if (!isTagExpression(subscription.expressionType)) return notEvaluated(subscription)
    return { group, tagsCodes: subscription.tagsCodes }
  }

  /** @returns whether the pull waits now for a message at its place */
  #hold(
    request: RemotingCommand,
    header: PullMessageRequestHeader,
    { tagsCodes }: AdmittedPull,
    result: GetMessageResult,
    peer: Peer,
    reply: Reply,
  ): boolean {
    if ((header.sysFlag & PULL_SUSPEND_FLAG) === 0) return false
    if (!AT_OR_BEHIND_END.has(result.status) || this.#codeOf(result, header) !== ResponseCode.PULL_NOT_FOUND) return false
    const { longPollingEnable, shortPollingTimeMills } = this.#options
    return this.#parts.holdService.hold({
      topic: header.topic,
      queueId: header.queueId,
      offset: header.queueOffset,
      tagsCodes,
      suspendMs: longPollingEnable ? header.suspendTimeoutMillis : shortPollingTimeMills,
      peer,
      wake: () => this.#serve(request, peer, reply, false),
    })
  }

  #answer(
    request: RemotingCommand,
    header: PullMessageRequestHeader,
    group: PullGroup,
    result: GetMessageResult,
    reply: Reply,
  ): void {
    const code = this.#codeOf(result, header)
    const isAskedElsewhere = this.#isLeftToMaster(result)
    const keepsPlace =
      isAskedElsewhere || (this.#isSlave && code === ResponseCode.PULL_NOT_FOUND && AT_OR_BEHIND_END.has(result.status))
    const fields = encodePullMessageResponseHeader({
      suggestWhichBrokerId: isAskedElsewhere ? 0 : this.#suggestion(group, result.isFarBehind),
      nextBeginOffset: keepsPlace ? header.queueOffset : result.nextBeginOffset,
      minOffset: result.minOffset,
      maxOffset: result.maxOffset,
    })
    reply(createResponse(request, code, result.status, fields), result.records ?? undefined)
  }

  get #isSlave(): boolean {
    return this.#parts.store.isSlave
  }

  /**
   * How the result is told. A slave never moves a consumer that is at or beyond its end: the master may have what it has not yet (F02), so it
   * says "nothing yet" where a master would correct the offset.
   */
  #codeOf(result: GetMessageResult, { queueOffset }: PullMessageRequestHeader): number {
    switch (result.status) {
      case 'FOUND':
        return ResponseCode.SUCCESS
      case 'NO_MATCHED_MESSAGE':
      case 'MESSAGE_WAS_REMOVING':
        return ResponseCode.PULL_RETRY_IMMEDIATELY
      case 'OFFSET_FOUND_NULL':
      case 'OFFSET_OVERFLOW_ONE':
        return ResponseCode.PULL_NOT_FOUND
      case 'NO_MATCHED_LOGIC_QUEUE':
      case 'NO_MESSAGE_IN_QUEUE':
        return queueOffset === 0 || (this.#isSlave && queueOffset > 0)
          ? ResponseCode.PULL_NOT_FOUND
          : ResponseCode.PULL_OFFSET_MOVED
      case 'OFFSET_OVERFLOW_BADLY':
        return this.#isSlave ? ResponseCode.PULL_NOT_FOUND : ResponseCode.PULL_OFFSET_MOVED
      case 'OFFSET_TOO_SMALL':
        return this.#isLeftToMaster(result) ? ResponseCode.PULL_RETRY_IMMEDIATELY : ResponseCode.PULL_OFFSET_MOVED
    }
  }

  /** A slave has lost what the consumer asks for; as long as there is a master, that one decides where to go on. */
  #isLeftToMaster({ status }: GetMessageResult): boolean {
    return status === 'OFFSET_TOO_SMALL' && this.#isSlave && this.#parts.isMasterLinkUp()
  }

  /** Which member of the group to ask next. Without its master a slave keeps its consumers (F03: and sends them back once it is there). */
  #suggestion(group: PullGroup, isFarBehind: boolean): number {
    if (this.#isSlave && !this.#parts.isMasterLinkUp()) return this.#options.brokerId
    if (!this.#options.slaveReadEnable) return 0
    return isFarBehind ? group.whichBrokerWhenConsumeSlowly : group.brokerId
  }

  #fail(
    request: RemotingCommand,
    { topic, queueId, queueOffset }: PullMessageRequestHeader,
    error: StoreError | null,
    reply: Reply,
  ): void {
    const reason = error?.message ?? 'no result'
    this.#parts.log.error(
      `pull ${error?.code}`,
      { topic, queueId, queueOffset, code: error?.code, reason, ...error?.details },
      'messages could not be read',
    )
    reply(createResponse(request, ResponseCode.SYSTEM_ERROR, reason))
  }
}

function noPermission(remark: string): Refusal {
  return { code: ResponseCode.NO_PERMISSION, remark }
}

/** As with `enablePropertyFilter=false`, stock's default. */
function notEvaluated({ expressionType }: SubscriptionData): Refusal {
  return {
    code: ResponseCode.SYSTEM_ERROR,
    remark: `The broker does not support consumer to filter message by ${expressionType}`,
  }
}
