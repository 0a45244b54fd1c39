import { serveJob } from './child-job.ts'
import { ANSWER_SIZE } from './loopback-frames.ts'
import { connectTo } from './raw-sender.ts'

/* Sends one frame after the other into a chain, each when the answer to the one before has come. */

export interface ChainOrder {
  /** HOST:PORT of the first stage. */
  readonly listen: string
  readonly frameSize: number
  readonly warmUpMs: number
  readonly measureMs: number
}

export interface ChainResult {
  readonly p50Us: number
}

serveJob(async ({ listen, frameSize, warmUpMs, measureMs }: ChainOrder): Promise<ChainResult> => {
  const socket = await connectTo(listen)
  const frame = Buffer.alloc(frameSize, 'ha-broker bench ')
  const latenciesMs: number[] = []
  return new Promise((resolve, reject) => {
    const measureFromMs = performance.now() + warmUpMs
    let missing = 0
    let sentMs = 0
    const send = (nowMs: number): void => {
      missing = ANSWER_SIZE
      sentMs = nowMs
      socket.write(frame)
    }
    socket.on('error', reject)
    socket.on('close', () => reject(new Error('the chain is broken')))
    socket.on('data', (chunk) => {
      missing -= chunk.length
      if (missing > 0) return
      const nowMs = performance.now()
      if (sentMs >= measureFromMs) latenciesMs.push(nowMs - sentMs)
      if (nowMs < measureFromMs + measureMs) return send(nowMs)
      socket.removeAllListeners('close')
      socket.destroy()
      latenciesMs.sort((a, b) => a - b)
      resolve({ p50Us: (latenciesMs[Math.floor(latenciesMs.length / 2)] ?? Number.NaN) * 1000 })
    })
    send(performance.now())
  })
})
