import { onTestFinished } from 'vitest'
import { silentLogger } from '../../src/base/logger.ts'
import type { Address } from '../../src/platform/network.ts'
import { nodeClock } from '../../src/platform/node-clock.ts'
import { nodeNetwork } from '../../src/platform/node-network.ts'
import { type Processor, ProcessorTable } from '../../src/remoting/processor-table.ts'
import { RemotingServer } from '../../src/remoting/remoting-server.ts'
import { decodeRegisterBrokerBody, type RegisterBrokerBody } from '../../src/wire/register-broker-body.ts'
import { createResponse, type RemotingCommand } from '../../src/wire/remoting-command.ts'
import { RequestCode } from '../../src/wire/request-code.ts'
import { ResponseCode } from '../../src/wire/response-code.ts'

/** A name server that says what a test tells it to, and keeps what it was told. */
export class FakeNameServer {
  /** Requests in the order in which they came, with bodies of their own. */
  readonly requests: RemotingCommand[] = []
  /** Answer to REGISTER_BROKER; a test may put another in its place. */
  masterAddr: string | null = null
  haServerAddr: string | null = null
  /** Body of the answer to REGISTER_BROKER. */
  registerBody = ''
  /** Body of the answer to GET_BROKER_CLUSTER_INFO. */
  clusterInfo = '{"brokerAddrTable":{},"clusterAddrTable":{}}'
  /** Answer to QUERY_DATA_VERSION. */
  isChanged = true
  readonly #processors = new ProcessorTable(silentLogger, nodeClock)
  #server: RemotingServer
  #address: Address | null = null
  #isStopped = false

  private constructor(address: Address) {
    this.#server = this.#makeServer(address)
    this.on(RequestCode.REGISTER_BROKER, (request, _peer, reply) => {
      const { masterAddr, haServerAddr } = this
      const fields = masterAddr === null || haServerAddr === null ? {} : { masterAddr, haServerAddr }
      reply(createResponse(request, ResponseCode.SUCCESS, null, fields, Buffer.from(this.registerBody)))
    })
    this.on(RequestCode.UNREGISTER_BROKER, (request, _peer, reply) => reply(createResponse(request, ResponseCode.SUCCESS)))
    this.on(RequestCode.QUERY_DATA_VERSION, (request, _peer, reply) =>
      reply(createResponse(request, ResponseCode.SUCCESS, null, { changed: String(this.isChanged) })),
    )
    this.on(RequestCode.GET_BROKER_CLUSTER_INFO, (request, _peer, reply) =>
      reply(createResponse(request, ResponseCode.SUCCESS, null, {}, Buffer.from(this.clusterInfo))),
    )
  }

  /** Stopped when the test ends. */
  static async start(port = 0): Promise<FakeNameServer> {
    const nameServer = new FakeNameServer({ host: '127.0.0.1', port })
    await nameServer.#server.start()
    nameServer.#address = nameServer.#server.address
    onTestFinished(() => nameServer.stop())
    return nameServer
  }

  /** Also while it is stopped. */
  get address(): Address {
    return this.#address ?? this.#server.address
  }

  /** Answers `code` so from now on; the request is kept all the same. */
  on(code: number, processor: Processor): void {
    this.#processors.register(code, (request, peer, reply) => {
      this.requests.push({ ...request, body: Buffer.from(request.body) })
      processor(request, peer, reply)
    })
  }

  of(code: number): RemotingCommand[] {
    return this.requests.filter((request) => request.code === code)
  }

  /** Bodies of all registrations so far. */
  get registrations(): RegisterBrokerBody[] {
    return this.of(RequestCode.REGISTER_BROKER).map(({ body, extFields, version }) =>
      decodeRegisterBrokerBody(body, extFields.compressed === 'true', version),
    )
  }

  async stop(): Promise<void> {
    if (this.#isStopped) return
    this.#isStopped = true
    await this.#server.stop()
  }

  /** The same name server at the same address again. */
  async restart(): Promise<void> {
    const { address } = this
    await this.stop()
    this.#server = this.#makeServer(address)
    await this.#server.start()
    this.#isStopped = false
  }

  #makeServer(address: Address): RemotingServer {
    const parts = { processors: this.#processors, network: nodeNetwork, clock: nodeClock, log: silentLogger }
    return new RemotingServer({ address, ...parts, stopGraceMs: 50 })
  }
}
