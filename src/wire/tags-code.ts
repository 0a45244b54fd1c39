/** `String.hashCode` of Java over UTF-16 units, a signed 32-bit value. */
export function javaStringHash(text: string): number {
  return javaStringHashBehind(0, text)
}

/** The same for `text` behind another one whose hash is `prefixHash`. */
function javaStringHashBehind(prefixHash: number, text: string): number {
  let hash = prefixHash
  for (let i = 0; i < text.length; i++) hash = (Math.imul(31, hash) + text.charCodeAt(i)) | 0
  return hash
}

/** The tagsCode of a value that stands in `bytes`: `javaStringHash` of its text; ASCII, the usual case, is hashed in place. */
export function tagsCodeOf(bytes: Buffer, start: number, end: number, prefixHash = 0): number {
  let hash = prefixHash
  let at = start
  // Four at a time: each step of the plain loop waits for the one before it, and a busy broker hashes every message's key.
  for (const last = end - 4; at <= last; at += 4) {
    const a = bytes[at] as number
    const b = bytes[at + 1] as number
    const c = bytes[at + 2] as number
    const d = bytes[at + 3] as number
    if ((a | b | c | d) >= 0x80) return javaStringHashBehind(prefixHash, bytes.toString('utf8', start, end))
    hash = (Math.imul(923_521, hash) + 29_791 * a + 961 * b + 31 * c + d) | 0
  }
  for (; at < end; at++) {
    const unit = bytes[at] as number
    if (unit >= 0x80) return javaStringHashBehind(prefixHash, bytes.toString('utf8', start, end))
    hash = (Math.imul(31, hash) + unit) | 0
  }
  return hash
}
