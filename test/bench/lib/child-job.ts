import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { atExit } from './at-exit.ts'

/**
 * Runs a module that calls `serveJob` in a process of its own, so that its work shares no event loop with anything that is measured.
 * @param errors what becomes of the error it may end with: a job that is expected to fail says nothing
 * @returns what it answered
 */
export function runJob<Order extends object, Result>(
  module: URL,
  order: Order,
  errors: 'shown' | 'quiet' = 'shown',
): Promise<Result> {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(module), { stdio: ['ignore', 'inherit', errors === 'shown' ? 'inherit' : 'ignore', 'ipc'] })
    const forget = atExit(() => child.kill('SIGKILL'))
    let result: Result | undefined
    child.once('message', (message) => {
      result = message as Result
    })
    child.once('error', reject)
    child.once('close', (code) => {
      forget()
      if (code === 0 && result !== undefined) resolve(result)
      else reject(new Error(`${fileURLToPath(module)} ended with ${code}`))
    })
    child.send(order)
  })
}

/** The other end: takes the order, answers with its result, and lets the process end. */
export function serveJob<Order, Result extends object>(work: (order: Order) => Promise<Result>): void {
  process.once('message', (order) => {
    work(order as Order).then(
      (result) => process.send?.(result, () => process.disconnect()),
      (error: unknown) => {
        process.stderr.write(`${error instanceof Error ? error.stack : error}\n`)
        process.exit(1)
      },
    )
  })
}

/** A job that goes on after its answer. */
export interface StandingJob<Result> {
  readonly result: Result
  /** Ends its process at once. */
  stop(): Promise<void>
}

/** Like `runJob`, with a module that calls `serveStandingJob`: it works until it is stopped. */
export function startJob<Order extends object, Result>(module: URL, order: Order): Promise<StandingJob<Result>> {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(module))
    const forget = atExit(() => child.kill('SIGKILL'))
    const ended = new Promise<void>((end) => {
      child.once('close', (code) => {
        forget()
        end()
        reject(new Error(`${fileURLToPath(module)} ended with ${code}`))
      })
    })
    child.once('error', reject)
    child.once('message', (result) => {
      const stop = (): Promise<void> => {
        child.kill('SIGKILL')
        return ended
      }
      resolve({ result: result as Result, stop })
    })
    child.send(order)
  })
}

/** The other end: takes the order, answers when it is ready for work, and lets the process go on. */
export function serveStandingJob<Order, Result extends object>(prepare: (order: Order) => Promise<Result>): void {
  process.once('message', (order) => {
    prepare(order as Order).then(
      (result) => process.send?.(result),
      (error: unknown) => {
        process.stderr.write(`${error instanceof Error ? error.stack : error}\n`)
        process.exit(1)
      },
    )
  })
}
