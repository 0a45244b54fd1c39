/**
 * `String.hashCode` of Java over UTF-16 units, a signed 32-bit value.
 * @param prefixHash that of a text which stands before this one
 */
export function javaStringHash(text: string, prefixHash = 0): number {
  let hash = prefixHash
  for (let i = 0; i < text.length; i++) hash = (Math.imul(31, hash) + text.charCodeAt(i)) | 0
  return hash
}

/** The tagsCode of a value that stands in `bytes`: `javaStringHash` of its text; ASCII, the usual case, is hashed in place. */
export function tagsCodeOf(bytes: Buffer, start: number, end: number, prefixHash = 0): number {
  let hash = prefixHash
  for (let i = start; i < end; i++) {
    const unit = bytes[i] as number
    if (unit >= 0x80) return javaStringHash(bytes.toString('utf8', start, end), prefixHash)
    hash = (Math.imul(31, hash) + unit) | 0
  }
  return hash
}
