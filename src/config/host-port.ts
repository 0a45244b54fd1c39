import { isIPv4, isIPv6 } from 'node:net'
import type { HostPort } from './config-types.ts'

const PORT_MAX = 65_535
const HOST_NAME = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$/
/** Digits and dots only: a mistyped IPv4 address, never a host name. */
const LIKE_IPV4 = /^[\d.]+$/

/** Reads `HOST:PORT` or `[IPV6]:PORT`, port 0 included. Null where the text is not one. */
export function parseHostPort(text: string): HostPort | null {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text)
  if (match === null) return null
  const [, bracketed, plain, digits] = match
  const port = Number(digits)
  if (port > PORT_MAX) return null
  if (bracketed !== undefined) return isIPv6(bracketed) ? { host: bracketed, port } : null
  return plain !== undefined && isHost(plain) ? { host: plain, port } : null
}

export function formatHostPort({ host, port }: HostPort): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`
}

/** A literal address or a host name (not looked up here). */
export function isHost(text: string): boolean {
  return isIPv4(text) || isIPv6(text) || (HOST_NAME.test(text) && !LIKE_IPV4.test(text))
}

/** Only this machine can reach it. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'))
}

/** Listens on every address of the machine. */
export function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::'
}

/** An address, or a CIDR range such as 10.0.0.0/8. */
export function isHostRange(text: string): boolean {
  const [address = '', prefix, ...more] = text.split('/')
  if (more.length > 0) return false
  const bits = isIPv4(address) ? 32 : isIPv6(address) ? 128 : 0
  return bits > 0 && (prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= bits))
}
