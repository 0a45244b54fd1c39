import { HaError, type MqError, RemotingError } from '../base/errors.ts'
import type { Logger } from '../base/logger.ts'
import type { MasterJoin } from '../ha/master-join.ts'
import type { Address } from '../platform/network.ts'
import type { Platform } from '../platform/platform.ts'
import type { MessageStore } from '../store/message-store.ts'
import { LogBootstrap } from './log-bootstrap.ts'
import { compareWithMaster } from './log-comparison.ts'
import { MasterClient } from './master-client.ts'
import type { LearnedMaster } from './master-directory.ts'

export interface SlaveJoinOptions {
  readonly brokerName: string
  readonly brokerId: number
  /** `--master`: the master's broker port. */
  readonly masterAddress: Address | null
  /** `--ha-master`: the master's HA port; overrules what the master says. */
  readonly haMasterAddress: Address | null
  /** `full`: a slave without data gets the whole log of any master. */
  readonly haBootstrap: 'auto' | 'full'
}

/** Who knows the master's address without anybody having typed it. */
export interface MasterSource {
  readonly current: LearnedMaster | null
}

/** How a slave of ours finds and checks its master, over the master's broker port. */
export class SlaveJoin implements MasterJoin {
  readonly #platform: Platform
  readonly #store: MessageStore
  readonly #logger: Logger
  readonly #options: SlaveJoinOptions
  readonly #directory: MasterSource | null
  /** To `--master`, or to the master that name servers told last. */
  #client: MasterClient | null
  /** The same, once it has shown that this slave may follow it: until then it may be a HA port, or of another group. */
  #fitClient: MasterClient | null = null
  /** A broker has answered at `--master`: it is no HA port, whatever happens later. */
  #isBroker = false
  /** `--master` has answered nothing a broker says; it is tried as a HA port now. */
  #isTriedAsHaPort = false
  /** This slave has followed this master before, so what does not fit now may fit again. */
  #hasFollowed = false
  #isClosed = false
  #masterEndOffset: number | null = null
  readonly #warned = new Set<string>()
  readonly #bootstrap: LogBootstrap | null
  /** The link must end for this reason and the master be asked anew; set before `locate`. */
  joinAnew: (reason: HaError) => void = () => {}
  /** Where this slave serves clients, told to the master; null before it does. */
  brokerPort: number | null = null

  /** @param directory where name servers tell the master; null where there are none. `--master` overrules it */
  constructor(
    platform: Platform,
    logger: Logger,
    store: MessageStore,
    options: SlaveJoinOptions,
    directory: MasterSource | null = null,
  ) {
    this.#platform = platform
    this.#store = store
    this.#logger = logger
    this.#options = options
    this.#directory = options.masterAddress === null ? directory : null
    this.#client = options.masterAddress === null ? null : new MasterClient(platform, logger, options.masterAddress)
    const events = {
      onMasterEnd: (endOffset: number) => {
        this.#masterEndOffset = endOffset
      },
      onDeleted: (reason: HaError) => this.joinAnew(reason),
    }
    this.#bootstrap = options.haBootstrap === 'full' ? new LogBootstrap(platform.clock, logger, store, events) : null
  }

  get masterEndOffset(): number | null {
    return this.#masterEndOffset
  }

  /** Whom to ask for topics, groups and offsets; null where no broker port of the master is known, or not yet that it is this slave's. */
  get metadataSource(): MasterClient | null {
    return this.#isClosed ? null : this.#fitClient
  }

  locate(): Promise<Address> {
    const { masterAddress } = this.#options
    return masterAddress === null ? this.#locateLearned() : this.#locateTyped(masterAddress)
  }

  /** As name servers tell it, asked anew each time (H02). */
  async #locateLearned(): Promise<Address> {
    const { haMasterAddress } = this.#options
    const learned = this.#directory?.current ?? null
    if (learned === null) {
      if (haMasterAddress === null || this.#mustAskBroker) {
        const remedy = this.#directory === null ? 'say --master HOST:PORT' : 'no name server tells one yet'
        throw new HaError('HA_MASTER_UNFIT', `no master is known: ${remedy}`)
      }
      if (this.#directory === null)
        this.#warnOnce('only the HA port of the master is known: topics and offsets are not synchronized', haMasterAddress)
      return haMasterAddress
    }
    const client = this.#clientOf(learned.address)
    this.#requireFit(await client.config(null))
    return haMasterAddress ?? learned.haAddress
  }

  /** Where the log begins is told by a broker port only; a slave that starts without would get the last file for good. */
  get #mustAskBroker(): boolean {
    return this.#bootstrap !== null && this.#store.log.holdsNothing
  }

  #clientOf(address: Address): MasterClient {
    const client = this.#client
    if (client !== null && client.address.host === address.host && client.address.port === address.port) return client
    client?.close().catch((error: unknown) => this.#logger.debug({ err: error }, 'the connection to the former master'))
    this.#hasFollowed = false
    this.#fitClient = null
    this.#masterEndOffset = null
    this.#client = new MasterClient(this.#platform, this.#logger, address)
    if (this.#isClosed) void this.#client.close()
    return this.#client
  }

  async #locateTyped(masterAddress: Address): Promise<Address> {
    const { haMasterAddress } = this.#options
    const client = this.#clientOf(masterAddress)
    this.#isTriedAsHaPort = false
    try {
      const config = await client.config(null)
      this.#isBroker = true
      this.#requireFit(config)
      return haMasterAddress ?? haAddressOf(client.address, config)
    } catch (error) {
      if (!this.#mayBeHaPort(error as MqError)) throw error
      if (this.#mustAskBroker) {
        const advice = 'haBootstrap=full needs the broker port of the master; its HA port is usually one higher'
        throw new HaError('HA_MASTER_UNFIT', `${this.#masterText} gives no broker's answer: ${advice}`, {}, error)
      }
      this.#isTriedAsHaPort = true
      this.#fitClient = null
      return client.address
    }
  }

  async check(localPort: number): Promise<boolean> {
    const client = this.#client
    if (client === null) return false
    if (this.#isTriedAsHaPort) {
      const advice =
        'it is followed as --ha-master; topics and offsets are not synchronized. The broker port is usually one lower'
      this.#warnOnce(`--master gives no broker's answer and is taken for a HA port: ${advice}`, client.address)
      return false
    }
    const { brokerId } = this.#options
    const { brokerPort } = this
    const config = await client.config({ haLocalPort: localPort, brokerId, brokerPort })
    this.#requireFit(config)
    const isFresh = config.get('haEmptySlaveStart') !== 'first' && ((await this.#bootstrap?.prepare(client)) ?? false)
    if (!isFresh) await compareWithMaster(this.#store.log, this.#store.lastRecord, client)
    this.#hasFollowed = true
    const range = await client.logRange().catch(() => null) // for people only: a master that does not tell is followed all the same
    this.#masterEndOffset = range?.maxOffset ?? null
    return true
  }

  /** Ends what is asked at the moment. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#bootstrap?.stop()
    await this.#client?.close()
  }

  /**
   * A port that takes a connection and closes it, or says nothing, when a broker would have answered (a HA port does just that). Where the HA
   * port was typed too, this one is no other, but a broker in trouble.
   */
  #mayBeHaPort(error: MqError): boolean {
    if (this.#isBroker || this.#isClosed || this.#options.haMasterAddress !== null) return false
    return error instanceof RemotingError && (error.code === 'REMOTING_CLOSED' || error.code === 'REMOTING_TIMEOUT')
  }

  /**
   * What must agree before one byte is taken.
   * @throws HaError HA_JOIN_REFUSED, or HA_MASTER_UNFIT where this master was followed before and may become fit again
   */
  #requireFit(config: ReadonlyMap<string, string>): void {
    const outdated = this.#directory === null ? null : this.#outdatedProblem(config)
    const problem = outdated ?? this.#problemWith(config)
    if (problem !== null) {
      this.#fitClient = null
      const mayPass = this.#hasFollowed || outdated !== null
      throw new HaError(mayPass ? 'HA_MASTER_UNFIT' : 'HA_JOIN_REFUSED', `cannot follow ${this.#masterText}: ${problem}`)
    }
    this.#fitClient = this.#client
    const brokerName = config.get('brokerName')
    if (brokerName === undefined || brokerName === this.#options.brokerName) return
    this.#warnOnce(
      `the master is brokerName ${brokerName}, this slave is ${this.#options.brokerName}: clients will not see them as a pair`,
    )
  }

  /** What a name server tells may be of yesterday: another broker may have the address now. It will tell the new one. */
  #outdatedProblem(config: ReadonlyMap<string, string>): string | null {
    const { brokerName } = this.#options
    const theirs = config.get('brokerName') ?? brokerName
    if (theirs !== brokerName)
      return `it is of the group ${theirs}, this slave of ${brokerName}: the name server tells an old address`
    if (config.get('brokerRole') === 'SLAVE') return 'it is a SLAVE: the name server tells an old address'
    return null
  }

  #problemWith(config: ReadonlyMap<string, string>): string | null {
    const fileSize = config.get('mappedFileSizeCommitLog') || 'not told'
    if (Number(fileSize) !== this.#store.log.fileSize) {
      return `its mappedFileSizeCommitLog is ${fileSize}, here it is ${this.#store.log.fileSize}: set the same on both, before the store of the slave is made`
    }
    if (config.get('brokerRole') === 'SLAVE') return 'it is a SLAVE itself: say the address of its master'
    for (const mode of ['enableControllerMode', 'enableDLegerCommitLog', 'duplicationEnable']) {
      if (config.get(mode) === 'true') return `it runs with ${mode}=true, which replicates in another way`
    }
    return null
  }

  get #masterText(): string {
    const address = this.#client?.address ?? null
    return address === null ? 'the master' : `the master ${address.host}:${address.port}`
  }

  #warnOnce(warning: string, master?: Address): void {
    if (this.#warned.has(warning)) return
    this.#warned.add(warning)
    this.#logger.warn({ master, warning }, 'the link to the master is not as it should be')
  }
}

/** The host that was typed reaches the master; only where it gives its slaves another network (brokerIP2) is that one taken. */
function haAddressOf(typed: Address, config: ReadonlyMap<string, string>): Address {
  const port = Number(config.get('haListenPort'))
  const slavesHost = config.get('brokerIP2')
  const host = slavesHost !== undefined && slavesHost !== '' && slavesHost !== config.get('brokerIP1') ? slavesHost : typed.host
  if (!Number.isInteger(port) || port <= 0 || port > 65_535) {
    throw new HaError(
      'HA_MASTER_UNFIT',
      `the master tells no usable haListenPort (${config.get('haListenPort')}): say it with --ha-master`,
    )
  }
  return { host, port }
}
