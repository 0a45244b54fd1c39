import { get } from 'node:http'

/** @throws (rejection) Error where no whole text came in time */
export type FetchText = (url: string, timeoutMs: number, sizeMax: number) => Promise<string>

/** The text at an `http:` address, by one GET: status 200 only, no more than `sizeMax` bytes, within `timeoutMs` in all. */
export const fetchText: FetchText = (url, timeoutMs, sizeMax) =>
  new Promise((resolve, reject) => {
    const request = get(url, { signal: AbortSignal.timeout(timeoutMs), agent: false }, (response) => {
      const refuse = (why: string): void => {
        reject(new Error(`the answer ${why}`)) // first: what has arrived may still come to its end
        request.destroy()
      }
      if (response.statusCode !== 200) return refuse(`has the status ${response.statusCode}`)
      const chunks: Buffer[] = []
      let size = 0
      response.on('data', (chunk: Buffer) => {
        size += chunk.length
        chunks.push(chunk)
        if (size > sizeMax) refuse(`is longer than ${sizeMax} bytes`)
      })
      response.on('end', () => resolve(Buffer.concat(chunks).toString()))
      response.on('error', reject)
    })
    request.on('error', reject)
  })
