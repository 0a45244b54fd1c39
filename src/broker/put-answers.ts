import type { PutStatus } from '../store/put-result.ts'
import { ResponseCode } from '../wire/response-code.ts'

/** How a put's end is told to the client, and whether the message is in the log then (SendMessageProcessor.handlePutMessageResult). */
export const PUT_ANSWERS: Readonly<
  Record<PutStatus, { readonly code: number; readonly isStored: boolean; readonly remark: string | null }>
> = {
  PUT_OK: { code: ResponseCode.SUCCESS, isStored: true, remark: null },
  FLUSH_DISK_TIMEOUT: { code: ResponseCode.FLUSH_DISK_TIMEOUT, isStored: true, remark: 'stored, but not on disk in time' },
  FLUSH_SLAVE_TIMEOUT: {
    code: ResponseCode.FLUSH_SLAVE_TIMEOUT,
    isStored: true,
    remark: 'stored, but not confirmed by enough slaves in time',
  },
  SLAVE_NOT_AVAILABLE: {
    code: ResponseCode.SLAVE_NOT_AVAILABLE,
    isStored: true,
    remark: 'stored, but fewer slaves are in sync than needed',
  },
  SERVICE_NOT_AVAILABLE: {
    code: ResponseCode.SERVICE_NOT_AVAILABLE,
    isStored: false,
    remark: 'not stored: this broker takes no messages now (shutting down, or its disk is full or failing)',
  },
  MESSAGE_ILLEGAL: {
    code: ResponseCode.MESSAGE_ILLEGAL,
    isStored: false,
    remark: 'not stored: the message is larger than maxMessageSize or than a file of the commit log',
  },
  PROPERTIES_SIZE_EXCEEDED: {
    code: ResponseCode.MESSAGE_ILLEGAL,
    isStored: false,
    remark: 'not stored: the properties are longer than 32767 bytes',
  },
  OS_PAGE_CACHE_BUSY: {
    code: ResponseCode.SYSTEM_BUSY,
    isStored: false,
    remark: '[PC_SYNCHRONIZED]broker busy, start flow control for a while',
  },
  IN_SYNC_REPLICAS_NOT_ENOUGH: {
    code: ResponseCode.SYSTEM_ERROR,
    isStored: false,
    remark: 'not stored: fewer replicas are in sync than minInSyncReplicas',
  },
}
