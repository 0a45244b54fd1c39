import type { StoreError } from '../../src/base/errors.ts'
import type { GetMessageResult, MessageQuery } from '../../src/store/message-query.ts'
import type { MessageStore } from '../../src/store/message-store.ts'
import { RecordFields, readMessageRecord } from '../../src/wire/message-record.ts'

const READER = {}

/** A message as it stands in an answer. */
export interface FoundMessage {
  readonly queueOffset: number
  readonly body: string
}

export type QueryAnswer = Omit<GetMessageResult, 'records'> & { readonly messages: FoundMessage[]; readonly parts: number }

function query(fields: Partial<MessageQuery>): MessageQuery {
  return { topic: 'TopicTest', queueId: 0, offset: 0, countMax: 32, tagsCodes: null, reader: READER, ...fields }
}

/** Asks the store, and gives what it found back at once. Rejects with the error. */
export function ask(store: MessageStore, fields: Partial<MessageQuery> = {}): Promise<QueryAnswer> {
  return new Promise((resolve, reject) => {
    store.getMessages(query(fields), (error, result) => (result === null ? reject(error) : resolve(answerOf(result))))
  })
}

/** The answer, where it comes during the call; undefined where a file has to be read first. */
export function askNow(store: MessageStore, fields: Partial<MessageQuery> = {}): QueryAnswer | StoreError | undefined {
  let answer: QueryAnswer | StoreError | undefined
  store.getMessages(query(fields), (error, result) => {
    answer = result === null ? (error ?? undefined) : answerOf(result)
  })
  return answer
}

function answerOf({ records, ...result }: GetMessageResult): QueryAnswer {
  const messages = messagesIn(Buffer.concat(records?.buffers ?? []))
  records?.release()
  return { ...result, messages, parts: records?.buffers.length ?? 0 }
}

/** The records of a body, one behind the other. */
export function messagesIn(body: Buffer): FoundMessage[] {
  const fields = new RecordFields()
  const messages: FoundMessage[] = []
  for (let at = 0; at < body.length; at += fields.size) {
    const physicOffset = Number(body.readBigInt64BE(at + 28))
    if (fields.parse(body, at, body.length, physicOffset) !== 'message') throw new Error(`no record at ${at}: ${fields.reason}`)
    messages.push({ queueOffset: fields.queueOffset, body: readMessageRecord(body, at, fields).body.toString() })
  }
  return messages
}
