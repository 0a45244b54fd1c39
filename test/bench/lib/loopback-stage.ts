import { openSync, writeSync } from 'node:fs'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { serveStandingJob } from './child-job.ts'
import { ANSWER_SIZE } from './loopback-frames.ts'
import { connectTo } from './raw-sender.ts'

/* One stage of a chain that does what any pair must do for a send, and nothing else: take the bytes, write them to a file, pass them on. */

export interface StageOrder {
  /** HOST:PORT of the next stage; without one it answers itself. */
  readonly next?: string
  /** Where its bytes go; made anew. */
  readonly file: string
  readonly frameSize: number
}

export interface StageResult {
  readonly listen: string
}

/** After so many bytes it begins at the front again: a file that grows for ever would be another subject. */
const FILE_SIZE_MAX = 256 * 1024 * 1024

serveStandingJob(async ({ next, file, frameSize }: StageOrder): Promise<StageResult> => {
  const fd = openSync(file, 'w')
  const nextSocket = next === undefined ? null : await connectTo(next)
  const answer = Buffer.alloc(ANSWER_SIZE)
  let at = 0
  const server = createServer({ noDelay: true }, (socket) => {
    let frame = Buffer.alloc(0)
    socket.on('data', (chunk) => {
      frame = frame.length === 0 ? chunk : Buffer.concat([frame, chunk])
      for (; frame.length >= frameSize; frame = frame.subarray(frameSize)) {
        at = at + frameSize > FILE_SIZE_MAX ? 0 : at + frameSize
        writeSync(fd, frame, 0, frameSize, at)
        if (nextSocket === null) socket.write(answer)
        else nextSocket.write(frame.subarray(0, frameSize))
      }
    })
    nextSocket?.on('data', (chunk) => socket.write(chunk))
    socket.on('error', () => socket.destroy())
  })
  await listening(server)
  return { listen: `127.0.0.1:${(server.address() as AddressInfo).port}` }
})

function listening(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
}
