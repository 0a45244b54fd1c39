import { EventEmitter } from 'node:events'
import { expect, test } from 'vitest'
import { StoreError } from '../../../src/base/errors.ts'
import type { Service } from '../../../src/base/service.ts'
import { type ProcessHost, ProcessLife } from '../../../src/cli/process-life.ts'
import { recordingLogger } from '../../helpers/ha-fixture.ts'

/** A process that never really ends. */
class FakeProcess extends EventEmitter implements ProcessHost {
  readonly exits: number[] = []
  readonly env: Record<string, string | undefined>
  readonly connected: boolean | undefined
  readonly exited: Promise<number>
  #resolveExited: (code: number) => void = () => {}

  constructor(env: Record<string, string | undefined> = {}, connected?: boolean) {
    super()
    this.env = env
    this.connected = connected
    this.exited = new Promise((resolve) => {
      this.#resolveExited = resolve
    })
  }

  exit(code: number): void {
    this.exits.push(code)
    this.#resolveExited(code)
  }
}

interface Controlled extends Service {
  stops: number
  /** Ends a stop that hangs. */
  release(): void
}

function service({ hangs = false, startFails = null as Error | null } = {}): Controlled {
  let release = () => {}
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  return {
    stops: 0,
    release: () => release(),
    start: () => (startFails === null ? Promise.resolve() : Promise.reject(startFails)),
    stop() {
      this.stops++
      return hangs ? released : Promise.resolve()
    },
  }
}

/** A life whose service has started. */
async function living(options: { hangs?: boolean; deadlineMs?: number; host?: FakeProcess } = {}) {
  const host = options.host ?? new FakeProcess()
  const { logger, lines } = recordingLogger()
  const life = new ProcessLife(logger, host, options.deadlineMs ?? 60_000)
  const broker = service(options)
  const code = life.run(broker)
  await new Promise((resolve) => setImmediate(resolve))
  return { host, life, broker, code, lines }
}

test.each(['SIGTERM', 'SIGINT'])(
  '%s stops the service once and ends with 0, and the log says when it has stopped',
  async (signal) => {
    const { host, broker, code, lines } = await living()
    host.emit(signal, signal)
    expect(await code).toBe(0)
    expect(lines.map(({ message }) => message)).toEqual(['stopping', 'stopped'])
    expect(broker.stops).toBe(1)
    expect(host.exits).toEqual([])
  },
)

test.each([
  ['SIGTERM', 143],
  ['SIGINT', 130],
])('a second %s ends at once with %i while the stop hangs', async (signal, exitCode) => {
  const { host, broker, code } = await living({ hangs: true })
  host.emit('SIGTERM', 'SIGTERM')
  await new Promise((resolve) => setImmediate(resolve))
  expect(host.exits).toEqual([])
  host.emit(signal, signal)
  expect(host.exits).toEqual([exitCode])
  expect(broker.stops).toBe(1)
  broker.release()
  await code
})

test('H10: a stop that does not come to its end is given up at the deadline', async () => {
  const { host, broker, code } = await living({ hangs: true, deadlineMs: 5 })
  host.emit('SIGTERM', 'SIGTERM')
  expect(await host.exited).toBe(1)
  broker.release()
  await code
})

test('a fatal error stops the service and decides the exit code', async () => {
  const { life, broker, code, lines } = await living()
  life.onFatal(new StoreError('STORE_DAMAGED', 'the log is damaged', { offset: 7 }))
  expect(await code).toBe(5)
  expect(broker.stops).toBe(1)
  expect(lines.map(({ message }) => message)).toContain('the broker cannot go on')
})

test('a fatal error during the stop still decides the exit code', async () => {
  const { host, life, broker, code } = await living({ hangs: true })
  host.emit('SIGTERM', 'SIGTERM')
  await new Promise((resolve) => setImmediate(resolve))
  life.onFatal(new StoreError('STORE_DAMAGED', 'the log is damaged'))
  broker.release()
  expect(await code).toBe(5)
  expect(broker.stops).toBe(1)
})

test.each(['uncaughtException', 'unhandledRejection'])('an %s is logged and ends with 1', async (event) => {
  const { host, broker, code, lines } = await living()
  host.emit(event, new Error('a mistake'))
  expect(host.exits).toEqual([1])
  expect(lines.filter(({ level }) => level === 'error')).toHaveLength(1)
  host.emit('SIGTERM', 'SIGTERM')
  broker.release()
  await code
})

test('a start that fails is the business of the caller', async () => {
  const life = new ProcessLife(recordingLogger().logger, new FakeProcess())
  const error = new StoreError('STORE_LOCKED', 'in use')
  await expect(life.run(service({ startFails: error }))).rejects.toBe(error)
})

test('a signal during the start stops what has started', async () => {
  const host = new FakeProcess()
  const life = new ProcessLife(recordingLogger().logger, host)
  const broker = service()
  const code = life.run(broker)
  host.emit('SIGINT', 'SIGINT')
  expect(await code).toBe(0)
  expect(broker.stops).toBe(1)
})

test('a child of quickstart stops when the channel to its parent closes', async () => {
  const host = new FakeProcess({ HA_BROKER_STOP_WITH_PARENT: '1' }, true)
  const { code, broker } = await living({ host })
  host.emit('disconnect')
  expect(await code).toBe(0)
  expect(broker.stops).toBe(1)
  expect(host.listenerCount('disconnect')).toBe(0)
})

test('a child of quickstart stops when its parent was gone before it listened', async () => {
  const { code } = await living({ host: new FakeProcess({ HA_BROKER_STOP_WITH_PARENT: '1' }, false) })
  expect(await code).toBe(0)
})

test('a broker that some other program started with a channel outlives it', async () => {
  const { host, broker, code } = await living()
  host.emit('disconnect')
  await new Promise((resolve) => setImmediate(resolve))
  expect(broker.stops).toBe(0)
  host.emit('SIGTERM', 'SIGTERM')
  await code
})
