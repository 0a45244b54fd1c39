import { onTestFinished } from 'vitest'
import { SeededRandom } from '../../../src/base/seeded-random.ts'
import { resolveNamesrvConfig } from '../../../src/config/namesrv-config.ts'
import { NamesrvController } from '../../../src/namesrv/namesrv-controller.ts'
import { nodeNetwork } from '../../../src/platform/node-network.ts'
import { nodeProcessFacts } from '../../../src/platform/process-facts.ts'
import type { RemotingClient } from '../../../src/remoting/remoting-client.ts'
import { createRequest, type RemotingCommand } from '../../../src/wire/remoting-command.ts'
import { RequestCode } from '../../../src/wire/request-code.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { MemoryFileSystem } from '../../helpers/memory-file-system.ts'
import { recordingLog, startClient } from '../remoting/harness.ts'

export const VERSION_1 = { counter: 1, stateVersion: 0, timestamp: 1 }

/** A name server on a free port of the loopback, with a disk in memory and a clock that the test moves. */
export class NamesrvFixture {
  readonly clock = new FakeClock({ ticks: 'auto' })
  readonly disk = new MemoryFileSystem()
  readonly #recorded = recordingLog()
  readonly #namesrv: NamesrvController

  private constructor(set: readonly string[]) {
    const { config } = resolveNamesrvConfig({ set: ['listenPort=0', 'kvConfigPath=/kv.json', ...set] })
    const platform = { clock: this.clock, fileSystem: this.disk, network: nodeNetwork, random: new SeededRandom(1) }
    this.#namesrv = new NamesrvController(platform, this.#recorded.log, config, nodeProcessFacts())
  }

  static async start(...set: string[]): Promise<NamesrvFixture> {
    const fixture = new NamesrvFixture(set)
    await fixture.#namesrv.start()
    onTestFinished(() => fixture.stop())
    return fixture
  }

  get port(): number {
    return this.#namesrv.address.port
  }

  /** Messages of the warnings so far. */
  get warnings(): string[] {
    return this.#recorded.lines.map(({ message }) => message)
  }

  /** A connection of its own; closed with the test. */
  client(): RemotingClient {
    return startClient(this.port)
  }

  async stop(): Promise<void> {
    let stopped = false
    const stopping = this.#namesrv.stop().then(() => {
      stopped = true
    })
    while (!stopped) {
      this.clock.advance(1_000)
      await new Promise((resolve) => setImmediate(resolve))
    }
    await stopping
  }
}

export function ask(
  client: RemotingClient,
  code: number,
  fields: Record<string, string> = {},
  body: string | Buffer = '',
): Promise<RemotingCommand> {
  return client.invoke(createRequest(code, fields, Buffer.from(body)), 3_000)
}

/** The fields of a broker of group `broker-a` with this id, 5.x unless `enableActingMaster` is taken out. */
export function brokerFields(brokerId: number, more: Record<string, string> = {}): Record<string, string> {
  return {
    brokerName: 'broker-a',
    brokerAddr: `127.0.0.1:${10_911 + brokerId * 1000}`,
    clusterName: 'C',
    haServerAddr: `127.0.0.1:${10_912 + brokerId * 1000}`,
    brokerId: String(brokerId),
    enableActingMaster: 'false',
    ...more,
  }
}

export function registerBody(topics: readonly string[] = ['A', 'B'], dataVersion: object = VERSION_1): string {
  const config = { perm: 6, readQueueNums: 8, writeQueueNums: 8 }
  const topicConfigTable = Object.fromEntries(topics.map((topicName) => [topicName, { ...config, topicName }]))
  return JSON.stringify({ filterServerList: [], topicConfigSerializeWrapper: { dataVersion, topicConfigTable } })
}

export function register(
  client: RemotingClient,
  brokerId: number,
  more: Record<string, string> = {},
  body = registerBody(),
): Promise<RemotingCommand> {
  return ask(client, RequestCode.REGISTER_BROKER, brokerFields(brokerId, more), body)
}

export function jsonOf(response: RemotingCommand): unknown {
  return JSON.parse(response.body.toString())
}
