import { connect, type Socket } from 'node:net'
import { LENGTH_SIZE } from '../../../src/wire/frame-cutter.ts'
import { encodeSendMessageRequestHeaderV2 } from '../../../src/wire/headers/send-message-request-header.ts'
import { createRequest, encodeRemotingCommand } from '../../../src/wire/remoting-command.ts'
import { RequestCode } from '../../../src/wire/request-code.ts'

/* What all generators of sends need, without a client in between that would take its share of the cores. */

const OPAQUE_AT = LENGTH_SIZE + 9
/** Of an answer without its length. */
export const RESPONSE_CODE_AT = 4
export const RESPONSE_OPAQUE_AT = 9

export interface RawSend {
  /** Comes back in the answer. */
  readonly opaque: number
  readonly topic: string
  readonly queueId: number
  /** What the topic gets where this send makes it. */
  readonly queueNums: number
  /** In bytes. */
  readonly bodySize: number
}

/** What a stock producer sends: the short field names in a binary header, a unique key and the wish to wait among the properties. */
export function sendFrame({ opaque, topic, queueId, queueNums, bodySize }: RawSend): Buffer {
  const fields = encodeSendMessageRequestHeaderV2({
    producerGroup: 'bench-producers',
    topic,
    defaultTopic: 'TBW102',
    defaultTopicQueueNums: queueNums,
    queueId,
    sysFlag: 0,
    bornTimestamp: Date.now(),
    flag: 0,
    properties: `UNIQ_KEY\u0001${opaque.toString(16).toUpperCase().padStart(32, '0')}\u0002WAIT\u0001true`,
    reconsumeTimes: 0,
    unitMode: false,
    maxReconsumeTimes: null,
    batch: false,
    brokerName: null,
  })
  const [frame] = encodeRemotingCommand(
    createRequest(RequestCode.SEND_MESSAGE_V2, fields, Buffer.alloc(bodySize, 'ha-broker bench '), 'ROCKETMQ'),
  )
  if (frame === undefined) throw new Error('a frame is at least one buffer')
  frame.writeInt32BE(opaque, OPAQUE_AT)
  return frame
}

/** @param listen HOST:PORT */
export function connectTo(listen: string): Promise<Socket> {
  const colon = listen.lastIndexOf(':')
  return new Promise((resolve, reject) => {
    const socket = connect({ host: listen.slice(0, colon), port: Number(listen.slice(colon + 1)), noDelay: true })
    socket.once('error', reject)
    socket.once('connect', () => resolve(socket))
  })
}
