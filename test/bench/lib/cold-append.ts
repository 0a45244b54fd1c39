import { closeSync, fdatasync, ftruncateSync, mkdirSync, openSync, write } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { serveJob } from './child-job.ts'

/*
 * What this machine can do at best where a slave catches up: nothing but writes, one after the other, into files that have their length but no
 * blocks yet. No network, no parsing, no queues.
 */

export interface ColdAppendOrder {
  readonly directory: string
  readonly bytes: number
  /** Files are as long as those of a commit log. */
  readonly fileSize: number
  readonly writeSize: number
  /** Pause between two fdatasyncs beside the writes, as ASYNC_FLUSH has it; 0 for none at all. */
  readonly syncIntervalMs: number
}

export interface ColdAppendResult {
  readonly bytesPerSecond: number
}

const writeAt = promisify(write)

serveJob(async ({ directory, bytes, fileSize, writeSize, syncIntervalMs }: ColdAppendOrder): Promise<ColdAppendResult> => {
  mkdirSync(directory, { recursive: true })
  const chunk = Buffer.alloc(writeSize, 'ha-broker bench ')
  const files: number[] = []
  let syncing = false
  const sync = (): void => {
    const file = files.at(-1)
    if (syncing || file === undefined) return
    syncing = true
    fdatasync(file, () => {
      syncing = false
    })
  }
  const timer = syncIntervalMs > 0 ? setInterval(sync, syncIntervalMs) : undefined
  const startedMs = performance.now()
  for (let offset = 0; offset < bytes; offset += writeSize) {
    if (offset % fileSize === 0) {
      const file = openSync(join(directory, String(offset).padStart(20, '0')), 'w')
      ftruncateSync(file, fileSize)
      files.push(file)
    }
    await writeAt(files.at(-1) as number, chunk, 0, Math.min(writeSize, bytes - offset), offset % fileSize)
  }
  const bytesPerSecond = (bytes * 1000) / (performance.now() - startedMs)
  clearInterval(timer)
  while (syncing) await new Promise((resolve) => setTimeout(resolve, 10))
  for (const file of files) closeSync(file)
  return { bytesPerSecond }
})
