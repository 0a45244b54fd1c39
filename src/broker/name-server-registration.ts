import { type MqError, RemotingError } from '../base/errors.ts'
import type { RateLimitedLog } from '../base/rate-limited-log.ts'
import type { Random } from '../base/seeded-random.ts'
import { formatHostPort } from '../config/host-port.ts'
import type { Clock, Timer } from '../platform/clock.ts'
import type { TableVersion } from '../wire/register-broker-body.ts'
import type { BrokerGroup, BrokerIdentity, NameServerClient, RegistrationAnswer, RegistrationBody } from './name-server-client.ts'

/** First wait after a registration that failed; each further one is twice as long, up to the period. */
const RETRY_FIRST_MS = 500
/** A change of more topics than this is told by the whole table. */
const CHANGED_TOPICS_MAX = 1000

/** What the registrations at all name servers have in common. */
export interface RegistrationTask {
  readonly clock: Clock
  readonly random: Random
  readonly log: RateLimitedLog
  readonly identity: BrokerIdentity
  /** `registerNameServerPeriod` in ms, clamped. */
  readonly periodMs: number
  readonly timeoutMs: number
  /** Register each period whether or not the name server holds this version (`forceRegister`). */
  readonly isForced: boolean
  /** @param names null: of all topics */
  body(names: ReadonlySet<string> | null): Promise<RegistrationBody>
  version(): TableVersion
  /** Whether another live broker at `address` is of this broker's name and id. */
  isTwin(address: string): Promise<boolean>
  answered(server: NameServerRegistration, answer: RegistrationAnswer): void
  /** What a name server has of this broker's group. */
  groupSeen(group: BrokerGroup): void
  /** Told once each time: this broker has become known there, or is no more. */
  changed(server: NameServerRegistration): void
}

/**
 * This broker at one name server: registered, and kept so. One call at a time; what is asked for meanwhile is done together behind it. A
 * name server that is slow or gone holds up no other.
 */
export class NameServerRegistration {
  readonly client: NameServerClient
  readonly #task: RegistrationTask
  /**
   * What is to be told next; null for the whole table, which says everything else too. Undefined: nothing. The first word, also after a loss, is
   * about the whole: 5.x refuses a table of one.
   */
  #due: Set<string> | null | undefined
  #isRegistered = false
  #running: Promise<void> | null = null
  #isStopped = false
  #retry: Timer | null = null
  #failures = 0
  #lastError: string | null = null

  constructor(client: NameServerClient, task: RegistrationTask) {
    this.client = client
    this.#task = task
  }

  get name(): string {
    return formatHostPort(this.client.address)
  }

  /** Whether the name server has this broker in its tables, as far as is known. */
  get isRegistered(): boolean {
    return this.#isRegistered
  }

  /** Last trouble, null while there is none. */
  get lastError(): string | null {
    return this.#lastError
  }

  /** Tells the name server about all topics, which also shows that this broker lives. */
  registerAll(): void {
    this.#due = null
    this.#start()
  }

  /** Tells the name server about topics that are new or have changed. */
  registerTopics(names: Iterable<string>): void {
    if (this.#due === null) return
    this.#due ??= new Set()
    for (const name of names) this.#due.add(name)
    if (this.#due.size > CHANGED_TOPICS_MAX) this.#due = null
    this.#start()
  }

  /** The connection has ended, and with it the registration: a name server that was restarted knows nobody (B16). */
  connectionLost(): void {
    if (!this.#isRegistered) return
    this.#isRegistered = false
    this.#lastError = 'the connection was lost'
    this.#task.changed(this)
    this.#tryLater()
  }

  /** Leaves the routes, where this broker is in them, and closes. */
  async stop(): Promise<void> {
    this.#isStopped = true
    this.#retry?.cancel()
    if (this.#running !== null) {
      const { clock } = this.#task
      // A registration that is under way must not come behind the leave, which waits no longer than a stop may.
      await Promise.race([this.#running, new Promise<void>((resolve) => clock.setTimer(1000, resolve))])
    }
    if (this.#isRegistered) {
      await this.client.unregister().catch((error: MqError) => this.#failed(error, 'this broker could not leave the routes'))
      this.#isRegistered = false
    }
    await this.client.close()
  }

  #start(): void {
    if (this.#running !== null || this.#isStopped) return
    this.#retry?.cancel()
    this.#retry = null
    this.#running = this.#run().finally(() => {
      this.#running = null
    })
  }

  async #run(): Promise<void> {
    while (this.#due !== undefined && !this.#isStopped) {
      const names = this.#due
      this.#due = undefined
      try {
        await this.#tell(names)
      } catch (error) {
        if (!(error instanceof Error) || !('code' in error)) throw error
        this.#failed(error as MqError, 'this broker could not be registered, trying again')
        return this.#tryLater()
      }
    }
  }

  async #tell(names: ReadonlySet<string> | null): Promise<void> {
    const { client } = this
    const { identity, isForced, timeoutMs } = this.#task
    if (names === null) {
      if (this.#isRegistered && !isForced && identity.brokerId === 0 && !(await client.lacks(this.#task.version()))) return
      await this.#requireFreeName()
    }
    const answer = await client.register(await this.#task.body(names), timeoutMs)
    this.#failures = 0
    this.#lastError = null
    if (!this.#isRegistered) {
      this.#isRegistered = true
      this.#task.changed(this)
    }
    this.#task.answered(this, answer)
  }

  /** H04: the name and id may be in the tables with an address of an earlier life, but not with one where somebody lives. */
  async #requireFreeName(): Promise<void> {
    const { brokerName, brokerId, brokerClusterName, brokerAddr } = this.#task.identity
    const group = await this.client.group().catch((error: MqError) => {
      if (error.code === 'REMOTING_REFUSED' || error.code === 'WIRE_BAD_FIELD') return { clusterName: null, addresses: new Map() }
      throw error
    })
    this.#task.groupSeen(group)
    const { clusterName, addresses } = group
    const holder = addresses.get(brokerId)
    if (holder !== undefined && holder !== brokerAddr && (await this.#task.isTwin(holder))) {
      throw new RemotingError(
        'REMOTING_REFUSED',
        `${brokerName} with brokerId ${brokerId} is at ${holder} already, and lives: give this broker a name or id of its own`,
        { brokerName, brokerId, holder },
      )
    }
    if (clusterName === null || clusterName === brokerClusterName || addresses.size === 0) return
    const advice = 'clients will take the brokers of both for one group: give one of them another name'
    this.#task.log.warn(
      'cluster',
      { nameServer: this.name, brokerName, cluster: brokerClusterName, other: clusterName, advice },
      'a group of another cluster has the name of this broker',
    )
  }

  #failed(error: MqError, message: string): void {
    this.#lastError = error.message
    this.#task.log.warn(`${message} ${error.code}`, { nameServer: this.name, reason: error.message }, message)
  }

  /** Soon at first: a name server that was restarted sends no client here before it knows this broker again. */
  #tryLater(): void {
    if (this.#isStopped) return
    const { clock, random, periodMs } = this.#task
    const boundMs = Math.min(periodMs, RETRY_FIRST_MS * 2 ** Math.min(this.#failures++, 16))
    this.#due = null
    this.#retry?.cancel()
    this.#retry = clock.setTimer(boundMs * (0.5 + 0.5 * random.next()), () => {
      this.#retry = null
      this.#start()
    })
  }
}
