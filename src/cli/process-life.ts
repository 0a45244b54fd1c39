import type { MqError } from '../base/errors.ts'
import type { Logger } from '../base/logger.ts'
import type { Service } from '../base/service.ts'
import { ExitCode, exitCodeOf, SIGNAL_EXIT_CODES } from './exit-code.ts'

/** A stop that takes longer is given up. */
const STOP_DEADLINE_MS = 10_000
/** Set by `quickstart` for its children: they end when the channel to their parent does, also where that was killed. */
export const STOP_WITH_PARENT = 'HA_BROKER_STOP_WITH_PARENT'

type StopSignal = 'SIGINT' | 'SIGTERM'

/** What of `process` is used: tests bring an emitter. */
export interface ProcessHost {
  on(event: string, listener: (argument: unknown) => void): unknown
  off(event: string, listener: (argument: unknown) => void): unknown
  exit(code: number): void
  /** Of the channel to the parent, where there is one. */
  readonly connected?: boolean | undefined
  readonly env: Readonly<Record<string, string | undefined>>
}

/**
 * The life of a process that is one service: runs it until a signal or a fatal error, stops it once, and ends at once at a second signal
 * or when the stop does not come to its end.
 */
export class ProcessLife {
  readonly #logger: Logger
  readonly #host: ProcessHost
  readonly #deadlineMs: number
  readonly #endAsked: Promise<void>
  #resolveEndAsked: () => void = () => {}
  #exitCode: number | null = null
  #signalled = false
  #deadline: NodeJS.Timeout | null = null

  /** @param deadlineMs 10 s; shorter in tests */
  constructor(logger: Logger, host: ProcessHost = process, deadlineMs = STOP_DEADLINE_MS) {
    this.#logger = logger
    this.#host = host
    this.#deadlineMs = deadlineMs
    this.#endAsked = new Promise((resolve) => {
      this.#resolveEndAsked = resolve
    })
  }

  /** For the service: it cannot go on. The process ends with the code this error stands for. */
  readonly onFatal = (error: MqError): void => {
    this.#logger.error({ err: error, code: error.code, ...error.details }, 'the broker cannot go on')
    this.#end(exitCodeOf(error))
  }

  /**
   * Starts the service and resolves with the exit code when it has stopped.
   * @throws what `start` rejects with, unless the process was asked to end meanwhile
   */
  async run(service: Service): Promise<number> {
    this.#listen()
    try {
      await service.start()
    } catch (error) {
      this.#disarm()
      if (this.#exitCode === null) throw error
      return this.#exitCode
    }
    await this.#endAsked
    try {
      await service.stop()
    } catch (error) {
      this.#logger.error({ err: error }, 'the stop failed')
      this.#exitCode = ExitCode.UNEXPECTED
    }
    this.#disarm()
    const exitCode = this.#exitCode ?? ExitCode.DONE
    this.#logger.info({ exitCode }, 'stopped')
    return exitCode
  }

  #listen(): void {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) this.#host.on(signal, () => this.#onSignal(signal))
    this.#host.on('uncaughtException', (error) => this.#crash(error, 'uncaught exception'))
    this.#host.on('unhandledRejection', (error) => this.#crash(error, 'unhandled rejection'))
    if (this.#host.env[STOP_WITH_PARENT] !== '1') return
    this.#host.on('disconnect', this.#onDisconnect)
    if (this.#host.connected === false) this.#onDisconnect() // the parent was gone before anybody listened
  }

  #onSignal(signal: StopSignal): void {
    if (this.#signalled) {
      this.#logger.warn({ signal }, 'a second signal: ending at once')
      this.#host.exit(SIGNAL_EXIT_CODES[signal])
      return
    }
    this.#signalled = true
    this.#logger.info({ signal }, 'stopping')
    this.#end(ExitCode.DONE)
  }

  readonly #onDisconnect = (): void => {
    this.#logger.info({}, 'the process that started this one is gone: stopping')
    this.#end(ExitCode.DONE)
  }

  /** Begins the one stop there is. A worse reason that comes while it runs still decides the exit code. */
  #end(exitCode: number): void {
    this.#exitCode = Math.max(this.#exitCode ?? ExitCode.DONE, exitCode)
    // Unlike the broker's own timers this one keeps the process alive: a stop that waits for nothing but those must still end.
    this.#deadline ??= setTimeout(() => {
      this.#logger.error({ deadlineMs: this.#deadlineMs }, 'the stop did not come to its end in time')
      this.#host.exit(Math.max(this.#exitCode ?? ExitCode.DONE, ExitCode.UNEXPECTED))
    }, this.#deadlineMs)
    this.#resolveEndAsked()
  }

  /** The service is gone. What still holds the process open, if anything, has until the deadline and no longer. */
  #disarm(): void {
    this.#deadline?.unref()
    this.#host.off('disconnect', this.#onDisconnect) // listening to it keeps the channel, and so the process, open
  }

  #crash(error: unknown, what: string): void {
    this.#logger.error({ err: error }, what)
    this.#host.exit(ExitCode.UNEXPECTED)
  }
}
