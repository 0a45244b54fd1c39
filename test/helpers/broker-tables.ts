import { parseFastjson } from '../../src/wire/fastjson-reader.ts'
import { RequestCode } from '../../src/wire/request-code.ts'
import { ask } from './peers.ts'

/** What a broker of either kind has in its tables, as far as tests look at it. */
export interface BrokerTables {
  readonly hasTopic: boolean
  readonly hasGroup: boolean
  /** Messages of the topic that the group has read. */
  readonly read: number
}

/** Asks for the tables as a slave does (21, 201, 43). */
export async function tablesOf(listen: string, topic: string, group: string): Promise<BrokerTables> {
  const table = async (code: number): Promise<string> => (await ask(listen, code)).body.toString()
  return {
    hasTopic: (await table(RequestCode.GET_ALL_TOPIC_CONFIG)).includes(`"topicName":"${topic}"`),
    hasGroup: (await table(RequestCode.GET_ALL_SUBSCRIPTIONGROUP_CONFIG)).includes(`"groupName":"${group}"`),
    read: readOf(await table(RequestCode.GET_ALL_CONSUMER_OFFSET), topic, group),
  }
}

/** How many messages of the topic the group has read, by a table of consumer offsets: as text, from a file or a broker. */
export function readOf(table: string, topic: string, group: string): number {
  const { offsetTable } = parseFastjson(table) as unknown as { offsetTable: Record<string, Record<string, number>> }
  return Object.values(offsetTable[`${topic}@${group}`] ?? {}).reduce((sum, offset) => sum + offset, 0)
}
