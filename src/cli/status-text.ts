import { formatBytes } from '../base/format-bytes.ts'
import type { BrokerStatus, HaStatus, MasterLinkStatus, SlaveStatus } from './broker-status.ts'
import { nameServerLines, synchronizedTableLines } from './cluster-text.ts'
import { formatCount, formatDuration, formatTable } from './format.ts'

const LABEL_WIDTH = 12

/**
 * The status as one screen; what a broker does not tell is left out.
 * @param address where it was asked
 * @param nowMs ms since 1970, for ages
 */
export function statusText({ runtime, ha }: BrokerStatus, address: string, nowMs: number): string {
  return [
    ...identityLines(runtime, ha, address, nowMs),
    ...storeLines(runtime),
    ...nameServerLines(runtime.nameServers).map((text) => line('name server', text)),
    ...(ha === null ? [line('replication', 'not told by this broker (older than RocketMQ 5.0)')] : []),
    ...(ha?.master === true ? masterLines(runtime, ha) : []),
    ...(ha?.master === false ? slaveLines(ha.masterLink, nowMs) : []),
    ...synchronizedTableLines(runtime.synchronizedTables).map((text) => line('table', text)),
    '',
  ].join('\n')
}

function line(label: string, text: string): string {
  return `${label.padEnd(LABEL_WIDTH)} ${text}`
}

type Table = Readonly<Record<string, string>>

function identityLines(runtime: Table, ha: HaStatus | null, address: string, nowMs: number): string[] {
  const { brokerName, brokerId, brokerClusterName, pid, bootTimestamp, rssBytes, brokerVersionDesc } = runtime
  const role = runtime.brokerRole ?? (ha === null ? 'role not told' : ha.master ? 'MASTER' : 'SLAVE')
  const name = brokerName === undefined ? '' : `${brokerName}-${brokerId ?? '?'} of ${brokerClusterName ?? '?'}, `
  const parts = [
    pid === undefined ? null : `pid ${pid}`,
    bootTimestamp === undefined ? null : `up ${formatDuration(Math.max(0, nowMs - Number(bootTimestamp)))}`,
    rssBytes === undefined ? null : `memory ${formatBytes(Number(rssBytes))}`,
    brokerVersionDesc === undefined ? null : `speaks ${brokerVersionDesc}`,
  ].filter((part) => part !== null)
  return [line(role, `${name}${address}`), ...(parts.length === 0 ? [] : [line('process', parts.join(', '))])]
}

function storeLines(runtime: Table): string[] {
  const { commitLogMinOffset: min, commitLogMaxOffset: max, commitLogFlushedOffset: flushed, dispatchedOffset } = runtime
  const { storeReadOnlyReason, dispatchStalledReason, flushDiskType } = runtime
  const lines: string[] = []
  if (min !== undefined && max !== undefined) {
    lines.push(line('commit log', `${min} to ${max} (${formatBytes(Number(max) - Number(min))})`))
  }
  if (flushed !== undefined) {
    lines.push(line('on disk', `${upTo(flushed, max)}${flushDiskType === undefined ? '' : `, ${flushDiskType}`}`))
  }
  if (dispatchedOffset !== undefined) lines.push(line('in queues', upTo(dispatchedOffset, max)))
  lines.push(...diskLines(runtime))
  if (storeReadOnlyReason) lines.push(line('READ-ONLY', storeReadOnlyReason))
  if (dispatchStalledReason) lines.push(line('STALLED', `no queue units any more: ${dispatchStalledReason}`))
  return lines
}

/** Stock tells the first two keys in the same form. */
function diskLines({ commitLogDiskRatio, commitLogDirCapacity, fileKeptForSlave, fileTakenFromSlave }: Table): string[] {
  const lines: string[] = []
  const ratio = Number(commitLogDiskRatio)
  if (commitLogDirCapacity !== undefined && ratio >= 0) {
    lines.push(
      line('disk', `${(100 * ratio).toFixed(1)} % used; ${commitLogDirCapacity.replaceAll(' : ', ' ').replace(/\.$/, '')}`),
    )
  }
  if (fileKeptForSlave) lines.push(line('KEPT', `an expired file stays: ${fileKeptForSlave}`))
  if (fileTakenFromSlave) lines.push(line('TAKEN', fileTakenFromSlave))
  return lines
}

function upTo(offset: string, end: string | undefined): string {
  const behind = Number(end) - Number(offset)
  return behind > 0 ? `up to ${offset}, ${formatBytes(behind)} to go` : `up to ${offset}, all`
}

function masterLines(runtime: Table, ha: HaStatus): string[] {
  const { inSyncReplicas, minInSyncReplicas, sendsWaitingForSlaves, refusedReports } = runtime
  const lines: string[] = []
  if (runtime.brokerRole === 'SYNC_MASTER' && inSyncReplicas !== undefined) {
    const copies = `a send waits for ${inSyncReplicas} copies, its own included`
    lines.push(line('replication', `${copies}; at least ${minInSyncReplicas} to be stored at all`))
    lines.push(line('waiting', `${formatCount(Number(sendsWaitingForSlaves ?? 0))} sends`))
  }
  if (Number(refusedReports ?? 0) > 0) lines.push(line('refused', `${refusedReports} reports that no slave of this log sends`))
  lines.push(line('slaves', `${ha.slaves.length}, ${ha.inSyncSlaveNums} near enough to count for a send`))
  return ha.slaves.length === 0 ? lines : [...lines, '', slaveTable(ha.slaves)]
}

function slaveTable(slaves: readonly SlaveStatus[]): string {
  const head = ['SLAVE', 'ID', 'STATE', 'POSITION', 'BEHIND', 'LAG', 'RATE', 'ACK MEANS']
  return formatTable([head, ...slaves.map(slaveRow)])
}

/** What is under way at the moment is no gap that a person should see: so old at most, */
const UNDER_WAY_MS = 2000
/** and no more than this, or than what the link moves in a second. */
const UNDER_WAY_BYTES = 1024 * 1024
/** A slave that is behind reports each time it has written, many times a second. */
const STANDS_STILL_MS = 3000

function slaveState(slave: SlaveStatus): string {
  const { slaveAckOffset, diff, lagMs, inSync, catchUpFrom, gainBytesPerSecond, standingStillMs, transferredByteInSecond } = slave
  if (slaveAckOffset < 0) return 'SILENT'
  if (diff <= 0) return 'in sync'
  if (standingStillMs !== null && standingStillMs >= STANDS_STILL_MS) {
    return `not responding for ${formatDuration(standingStillMs)}`
  }
  const isUnderWay = lagMs === null || (lagMs < UNDER_WAY_MS && diff <= Math.max(UNDER_WAY_BYTES, transferredByteInSecond))
  if (inSync && isUnderWay) return 'in sync'
  if (gainBytesPerSecond === 0) return 'catching up' // since a moment ago: how fast is not known yet
  if (gainBytesPerSecond !== null && gainBytesPerSecond > 0) {
    return `catching up, ${wayText(slaveAckOffset, diff, catchUpFrom, gainBytesPerSecond)}`
  }
  return 'BEHIND'
}

/** `45 % of 2.0 GiB, 3 min 2 s left`: how far it has come since it fell behind. */
function wayText(position: number, diff: number, from: number | null, gainBytesPerSecond: number): string {
  const left = `${formatDuration((diff * 1000) / gainBytesPerSecond)} left`
  if (from === null) return left
  const total = Math.max(0, position - from) + diff
  return `${Math.floor(((total - diff) * 100) / total)} % of ${formatBytes(total)}, ${left}`
}

function slaveRow(slave: SlaveStatus): string[] {
  const hasReported = slave.slaveAckOffset >= 0
  return [
    slave.addr,
    slave.brokerId === null ? '-' : String(slave.brokerId),
    slaveState(slave),
    hasReported ? String(slave.slaveAckOffset) : '-',
    hasReported ? formatBytes(Math.max(0, slave.diff)) : '-',
    hasReported && slave.lagMs !== null ? formatDuration(slave.lagMs) : '-',
    `${formatBytes(slave.transferredByteInSecond)}/s`,
    slave.ackLevel ?? '-',
  ]
}

function slaveLines(link: MasterLinkStatus, nowMs: number): string[] {
  const age = (timestamp: number): string => formatDuration(Math.max(0, nowMs - timestamp))
  const lines = [line('master', link.masterAddr ?? 'not known yet')]
  if (link.state !== null) {
    const upOrDown = link.downSinceTimestamp === null ? 'up' : `DOWN for ${age(link.downSinceTimestamp)}`
    lines.push(line('link', `${upOrDown} (${link.state})`))
  }
  if (link.lastReadTimestamp !== null) {
    lines.push(line('last heard', `${age(link.lastReadTimestamp)} ago, ${formatBytes(link.transferredByteInSecond)}/s`))
  }
  lines.push(...behindLines(link))
  if (link.lastError !== null) lines.push(line('last error', link.lastError))
  return lines
}

/** By what this slave knows of its master, which is less than the master knows while the link is down. */
function behindLines({
  maxOffset,
  masterEndOffset,
  behindMs,
  catchUpFrom,
  gainBytesPerSecond,
  downSinceTimestamp,
}: MasterLinkStatus): string[] {
  if (maxOffset === null || masterEndOffset === null) return []
  const diff = masterEndOffset - maxOffset
  const atLeast = downSinceTimestamp === null ? '' : 'at least '
  if (diff <= 0)
    return downSinceTimestamp === null ? [line('behind', 'nothing')] : [line('behind', 'not known: the link is down')]
  const since = behindMs === null ? '' : `, for ${formatDuration(behindMs)}`
  const lines = [line('behind', `${atLeast}${formatBytes(diff)}${since}`)]
  if (downSinceTimestamp !== null || gainBytesPerSecond === null || gainBytesPerSecond <= 0) return lines
  return [...lines, line('catching up', wayText(maxOffset, diff, catchUpFrom, gainBytesPerSecond))]
}
