import type { RateLimitedLog } from '../base/rate-limited-log.ts'
import { isLoopback } from '../config/host-port.ts'
import { hostAllowList } from '../platform/host-allow-list.ts'
import type { Peer, Processor } from '../remoting/processor-table.ts'
import { createResponse, type RemotingCommand } from '../wire/remoting-command.ts'
import { ResponseCode } from '../wire/response-code.ts'

const IPV4_IN_IPV6 = /^::ffff:/i

/** What changes tables or settings of a broker: who may do so, and where (H08, E14). One rule for all such requests. */
export class AdminAccess {
  readonly #isAllowed: (host: string) => boolean
  readonly #isSlave: boolean
  readonly #log: RateLimitedLog

  /** @param allowedHosts `adminWriteAllowedHosts`: hosts beside this machine; none where it is empty */
  constructor(allowedHosts: readonly string[], isSlave: boolean, log: RateLimitedLog) {
    this.#isAllowed = allowedHosts.length === 0 ? () => false : hostAllowList(allowedHosts)
    this.#isSlave = isSlave
    this.#log = log
  }

  /**
   * The processor behind the rule: 16 for a host that may not write (RocketMQ lets everybody), 1 on a slave, whose tables are its master's (as in
   * 4.9; 5.x takes the change, and loses it with the next synchronization).
   */
  tableWrite(processor: Processor): Processor {
    return this.#guarded(processor, !this.#isSlave)
  }

  /** The same for what a slave may change too: its own settings. */
  settingWrite(processor: Processor): Processor {
    return this.#guarded(processor, true)
  }

  #guarded(processor: Processor, isTaken: boolean): Processor {
    return (request, peer, reply) => {
      if (!this.#mayWrite(peer)) return reply(this.#refuse(request, peer))
      if (isTaken) return processor(request, peer, reply)
      const remark = 'this broker is a slave and takes its tables from its master: change them there'
      reply(createResponse(request, ResponseCode.SYSTEM_ERROR, remark))
    }
  }

  #mayWrite({ remote: { host } }: Peer): boolean {
    return isLoopback(host.replace(IPV4_IN_IPV6, '')) || this.#isAllowed(host)
  }

  #refuse(request: RemotingCommand, { remote }: Peer): RemotingCommand {
    const { code } = request
    this.#log.warn(
      'admin',
      { code, remote },
      'an administrative change was refused: the host is not among adminWriteAllowedHosts',
    )
    const remark = `changes are taken from this machine only, unless adminWriteAllowedHosts of the broker has your address, ${remote.host}`
    return createResponse(request, ResponseCode.NO_PERMISSION, remark)
  }
}
