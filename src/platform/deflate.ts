import { promisify } from 'node:util'
import { deflate } from 'node:zlib'

/** Makes one zlib stream (RFC 1950) of `bytes`, on the thread pool. */
export const deflated: (bytes: Buffer) => Promise<Buffer> = promisify(deflate)
