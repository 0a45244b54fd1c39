import { isIPv4, isIPv6 } from 'node:net'
import { WireError } from '../base/errors.ts'
import { HOST_V4_SIZE, HOST_V6_SIZE } from './message-record.ts'

/**
 * BORNHOST and STOREHOST: | ip 4 or 16 | port int32 |.
 * @param host a literal address, IPv4 not in its mapped IPv6 form
 * @throws WireError WIRE_BAD_FIELD where `host` is no literal address
 */
export function encodeHost(host: string, port: number): Buffer {
  if (isIPv4(host)) {
    const bytes = Buffer.alloc(HOST_V4_SIZE)
    host.split('.').forEach((part, i) => {
      bytes[i] = Number(part)
    })
    bytes.writeInt32BE(port, 4)
    return bytes
  }
  if (!isIPv6(host)) throw new WireError('WIRE_BAD_FIELD', 'a host that is no literal address', { host })
  const bytes = Buffer.alloc(HOST_V6_SIZE)
  ipv6Groups(host).forEach((group, i) => {
    bytes.writeUInt16BE(group, 2 * i)
  })
  bytes.writeInt32BE(port, 16)
  return bytes
}

/** The eight groups of a valid IPv6 text, `::` filled in and a trailing IPv4 part taken apart. */
function ipv6Groups(host: string): number[] {
  const text = host.replace(/%.*$/, '').replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_all, a, b, c, d) => {
    return `${((Number(a) << 8) | Number(b)).toString(16)}:${((Number(c) << 8) | Number(d)).toString(16)}`
  })
  const [head = '', tail] = text.split('::')
  const groups = (part: string): number[] => (part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16)))
  const before = groups(head)
  const after = tail === undefined ? [] : groups(tail)
  return [...before, ...new Array<number>(8 - before.length - after.length).fill(0), ...after]
}

/** `ip:port`, an IPv6 address in brackets and written in full groups. */
export function formatHost(bytes: Buffer): string {
  if (bytes.length === HOST_V4_SIZE) return `${bytes.subarray(0, 4).join('.')}:${bytes.readInt32BE(4)}`
  const groups = Array.from({ length: 8 }, (_unused, i) => bytes.readUInt16BE(2 * i).toString(16))
  return `[${groups.join(':')}]:${bytes.readInt32BE(16)}`
}

/** STOREHOST and physical offset as upper-case hex: what clients call the offset message id (MessageDecoder.createMessageId). */
export function offsetMessageId(storeHost: Buffer, physicOffset: number): string {
  return storeHost.toString('hex').toUpperCase() + physicOffset.toString(16).toUpperCase().padStart(16, '0')
}
