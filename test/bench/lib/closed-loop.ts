import type { Socket } from 'node:net'
import { serveJob } from './child-job.ts'
import { connectTo } from './raw-sender.ts'

/** What keeps a fixed number of requests under way over one connection. */
export interface Loop {
  start(): void
  /** May throw: that ends the job. */
  onData(chunk: Buffer): void
}

/**
 * Serves a job (child-job) that is one loop over one connection to `order.listen`. An error, a throw of the loop or an end of the connection
 * fails it; a loop that is done takes its 'close' listener away and destroys the socket.
 */
export function serveLoop<Order extends { readonly listen: string }, Result extends object>(
  makeLoop: (socket: Socket, order: Order, done: (result: Result) => void) => Loop,
): void {
  serveJob(async (order: Order): Promise<Result> => {
    const socket = await connectTo(order.listen)
    return new Promise((resolve, reject) => {
      const loop = makeLoop(socket, order, resolve)
      const fail = (error: Error): void => {
        reject(error)
        socket.destroy()
      }
      socket.on('error', fail)
      socket.on('close', () => fail(new Error('the broker closed the connection')))
      socket.on('data', (chunk) => {
        try {
          loop.onData(chunk)
        } catch (error) {
          fail(error as Error)
        }
      })
      loop.start()
    })
  })
}
