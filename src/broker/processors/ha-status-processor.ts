import type { HAService } from '../../ha/ha-service.ts'
import type { Processor } from '../../remoting/processor-table.ts'
import type { CommitLog } from '../../store/commit-log.ts'
import { createResponse } from '../../wire/remoting-command.ts'
import { ResponseCode } from '../../wire/response-code.ts'

/**
 * GET_BROKER_HA_STATUS: the state of replication (HARuntimeInfo), members in the order of their names. What stock does not know (brokerId,
 * ackLevel, lagMs, catchUpFrom, gainBytesPerSecond, standingStillMs; state, lastError, downSinceTimestamp, masterEndOffset, behindMs) its readers skip.
 */
export function haStatusProcessor(haService: HAService, log: CommitLog, isMaster: boolean): Processor {
  return (request, _peer, reply) => {
    const slaves = haService.slaves()
    const info = {
      haClientRuntimeInfo: clientRuntimeInfo(haService, log, isMaster),
      haConnectionInfo: slaves.map(({ brokerId, ackLevel, ...slave }) => ({
        ...(ackLevel === null ? {} : { ackLevel }),
        addr: slave.addr,
        ...(brokerId === null ? {} : { brokerId }),
        catchUpFrom: slave.catchUpFrom,
        diff: slave.diff,
        gainBytesPerSecond: slave.gainBytesPerSecond,
        inSync: slave.inSync,
        lagMs: Math.round(slave.lagMs),
        slaveAckOffset: slave.slaveAckOffset,
        standingStillMs: Math.round(slave.standingStillMs),
        transferFromWhere: slave.transferFromWhere,
        transferredByteInSecond: slave.transferredByteInSecond,
      })),
      inSyncSlaveNums: haService.slavesInSync,
      master: isMaster,
      masterCommitLogMaxOffset: isMaster ? log.maxOffset : 0,
    }
    reply(createResponse(request, ResponseCode.SUCCESS, null, {}, Buffer.from(JSON.stringify(info))))
  }
}

function clientRuntimeInfo(haService: HAService, log: CommitLog, isMaster: boolean): Record<string, unknown> {
  const client = haService.clientInfo
  if (isMaster || client === null) {
    return { lastReadTimestamp: 0, lastWriteTimestamp: 0, masterFlushOffset: 0, maxOffset: 0, transferredByteInSecond: 0 }
  }
  return {
    behindMs: Math.round(client.behindMs),
    catchUpFrom: client.catchUpFrom,
    downSinceTimestamp: client.downSinceTimestamp,
    gainBytesPerSecond: client.gainBytesPerSecond,
    ...(client.lastError === null ? {} : { lastError: client.lastError }),
    lastReadTimestamp: client.lastReadTimestamp,
    lastWriteTimestamp: client.lastWriteTimestamp,
    ...(client.master === null ? {} : { masterAddr: `${client.master.host}:${client.master.port}` }),
    masterEndOffset: client.masterEndOffset,
    masterFlushOffset: 0,
    maxOffset: log.maxOffset,
    state: client.state,
    transferredByteInSecond: client.transferredByteInSecond,
  }
}
