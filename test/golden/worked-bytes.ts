/*
 * Bytes worked out by hand from the layouts of CommitLog and DefaultHAConnection, not by our own encoders: one record at offset
 * 1073742096 (0x40000110), queue 3, queue offset 5, topic `TopicTest`, body `hello`, TAGS=TagA, KEYS=k1, born at 192.168.1.10:50000
 * at 1700000000000, stored by 192.168.1.20:10911 five milliseconds later; its variants; and the frames that carry and ack it.
 */

/**
 * Hex pairs to bytes. White space is free, `#` starts a comment that runs to the end of its line.
 * @throws SyntaxError where a word is no pair of hex digits
 */
export function hexToBuffer(commentedHex: string): Buffer {
  const words = commentedHex.replace(/#.*$/gm, '').split(/\s+/).filter(Boolean)
  const wrong = words.find((word) => !/^[0-9a-f]{2}$/i.test(word))
  if (wrong !== undefined) throw new SyntaxError(`'${wrong}' is no pair of hex digits`)
  return Buffer.from(words.join(''), 'hex')
}

export const RECORD_OFFSET = 1_073_742_096

const RECORD_V1_FIELDS = {
  totalSize: '00 00 00 7b # 123',
  magic: 'da a3 20 a7 # v1',
  bodyCrc: '36 10 a6 86 # of hello, without the sign bit',
  queueId: '00 00 00 03',
  flag: '00 00 00 00',
  queueOffset: '00 00 00 00 00 00 00 05',
  physicOffset: '00 00 00 00 40 00 01 10',
  sysFlag: '00 00 00 00',
  bornTimestamp: '00 00 01 8b cf e5 68 00',
  bornHost: 'c0 a8 01 0a 00 00 c3 50',
  storeTimestamp: '00 00 01 8b cf e5 68 05',
  storeHost: 'c0 a8 01 14 00 00 2a 9f',
  reconsumeTimes: '00 00 00 00',
  preparedTransactionOffset: '00 00 00 00 00 00 00 00',
  bodyLength: '00 00 00 05',
  body: '68 65 6c 6c 6f # hello',
  topicLength: '09',
  topic: '54 6f 70 69 63 54 65 73 74 # TopicTest',
  propertiesLength: '00 12 # 18',
  properties: '54 41 47 53 01 54 61 67 41 02 4b 45 59 53 01 6b 31 02 # TAGS=TagA, KEYS=k1',
}

function record(changes: Partial<typeof RECORD_V1_FIELDS> = {}): Buffer {
  return hexToBuffer(Object.values({ ...RECORD_V1_FIELDS, ...changes }).join('\n'))
}

/** As 5.3.3 writes it: 123 bytes, a separator behind the last property. */
export const RECORD_V1 = record()

/** As 4.9.8 writes it: 122 bytes, no separator behind the last property. */
export const RECORD_V1_NO_LAST_SEPARATOR = record({
  totalSize: '00 00 00 7a # 122',
  propertiesLength: '00 11 # 17',
  properties: '54 41 47 53 01 54 61 67 41 02 4b 45 59 53 01 6b 31',
})

/** 124 bytes, the topic's length in two of them. */
export const RECORD_V2 = record({ totalSize: '00 00 00 7c # 124', magic: 'da a3 20 ab # v2', topicLength: '00 09' })

/** 135 bytes, born at [2001:db8::1]:50000. */
export const RECORD_BORN_V6 = record({
  totalSize: '00 00 00 87 # 135',
  sysFlag: '00 00 00 10',
  bornHost: '20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01 00 00 c3 50',
})

/** 143 bytes, enabledAppendPropCRC: the CRC of all before its 20 bytes is 934026673, its digits written last one first. */
export const RECORD_WITH_CRC = record({
  totalSize: '00 00 00 8f # 143',
  propertiesLength: '00 26 # 38',
  properties: `${RECORD_V1_FIELDS.properties}
    5f 5f 43 52 43 33 32 23 01 # __CRC32#
    33 37 36 36 32 30 34 33 39 30 02 # 3766204390`,
})

/** The blank where 124 bytes are left in the file; what stands behind it is not written. */
export const BLANK_124 = hexToBuffer('00 00 00 7c  cb d4 31 94')

export const MESSAGE_ID = 'C0A8011400002A9F0000000040000110'

/** Hashes of Java's String.hashCode, and a negative one as the eight bytes of a consume-queue unit. */
export const TAG_A_HASH = 2_598_919
export const REFUND_HASH = -934_813_832
export const REFUND_TAGS_CODE = hexToBuffer('ff ff ff ff c8 47 df 78')
export const INDEX_KEY_HASH = 2_746_024

/** slave → master */
export const REPORT_EMPTY = hexToBuffer('00 00 00 00 00 00 00 00')
export const REPORT_RECORD_OFFSET = hexToBuffer('00 00 00 00 40 00 01 10')
export const REPORT_RECORD_ACKED = hexToBuffer('00 00 00 00 40 00 01 8b')

/** master → slave */
export const HEADER_32_KIB = hexToBuffer('00 00 00 00 40 00 01 10  00 00 80 00')
export const HEADER_HEARTBEAT = hexToBuffer('00 00 00 00 40 00 01 10  00 00 00 00')
export const HEADER_RECORD = hexToBuffer('00 00 00 00 40 00 01 10  00 00 00 7b')

/** Three reports as they may arrive: two and a half, then the rest of the third. */
export const REPORTS_FIRST_READ = hexToBuffer(`
  00 00 00 00 40 00 01 10
  00 00 00 00 40 00 01 8b
  00 00 00 00`)
export const REPORTS_SECOND_READ = hexToBuffer('40 00 02 06')
