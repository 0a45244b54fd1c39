import { SCHEDULE_TOPIC } from '../wire/delay-level.ts'

export const RETRY_PREFIX = '%RETRY%'
export const DEAD_LETTER_PREFIX = '%DLQ%'
/** Its settings are what an unknown topic inherits (TopicValidator.AUTO_CREATE_TOPIC_KEY_TOPIC). */
export const AUTO_CREATE_TOPIC = 'TBW102'

/** Topics that start so are the broker's own, whatever comes behind (TopicValidator.SYSTEM_TOPIC_PREFIX). */
export const SYSTEM_PREFIX = 'rmq_sys_'
/** Topics of RocketMQ's own, also where this broker has no use for them (TopicValidator.SYSTEM_TOPIC_SET). */
export const SYSTEM_TOPICS: readonly string[] = [
  AUTO_CREATE_TOPIC,
  SCHEDULE_TOPIC,
  'BenchmarkTest',
  'RMQ_SYS_TRANS_HALF_TOPIC',
  'RMQ_SYS_TRACE_TOPIC',
  'RMQ_SYS_TRANS_OP_HALF_TOPIC',
  'TRANS_CHECK_MAX_TIME_TOPIC',
  'SELF_TEST_TOPIC',
  'OFFSET_MOVED_EVENT',
]

const NAME = /^[%|a-zA-Z0-9_-]+$/
const NAME_SIZE_MAX = 127
const RETRY_NAME_SIZE_MAX = 255

/** Topics of the broker's own, which nobody may send to (TopicValidator.NOT_ALLOWED_SEND_TOPIC_SET). */
const NOT_ALLOWED_TO_SEND: ReadonlySet<string> = new Set([
  SCHEDULE_TOPIC,
  'RMQ_SYS_TRANS_HALF_TOPIC',
  'RMQ_SYS_TRANS_OP_HALF_TOPIC',
  'TRANS_CHECK_MAX_TIME_TOPIC',
  'SELF_TEST_TOPIC',
  'OFFSET_MOVED_EVENT',
])

/** What is wrong with a topic's name, or null (TopicValidator.validateTopic). Names become folders, so this is also what keeps paths safe. */
export function topicNameProblem(topic: string): string | null {
  if (topic.trim() === '') return 'The specified topic is blank.'
  if (!NAME.test(topic)) return `The specified topic [${topic}] contains illegal characters, allowing only ^[%|a-zA-Z0-9_-]+$`
  const sizeMax = topic.startsWith(RETRY_PREFIX) || topic.startsWith(DEAD_LETTER_PREFIX) ? RETRY_NAME_SIZE_MAX : NAME_SIZE_MAX
  return topic.length > sizeMax ? `The specified topic is longer than topic max length ${sizeMax}.` : null
}

export function mayBeSentTo(topic: string): boolean {
  return !NOT_ALLOWED_TO_SEND.has(topic)
}
