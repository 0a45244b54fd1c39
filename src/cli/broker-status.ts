/** One slave's link as the master sees it; what stock does not tell is null. */
export interface SlaveStatus {
  readonly addr: string
  readonly brokerId: number | null
  readonly ackLevel: string | null
  /** −1 before the first report. */
  readonly slaveAckOffset: number
  /** Bytes behind. */
  readonly diff: number
  /** Age of the oldest byte not reported. */
  readonly lagMs: number | null
  /** Near enough to count for a send (`haMaxGapNotInSync`); that alone says not that it keeps up. */
  readonly inSync: boolean
  readonly transferredByteInSecond: number
  /** Where it stood when it fell behind. */
  readonly catchUpFrom: number | null
  /** Bytes by which the gap gets smaller in a second. */
  readonly gainBytesPerSecond: number | null
  /** For how long it has been behind without a report that goes further. */
  readonly standingStillMs: number | null
}

/** A slave's link to its master as the slave sees it. */
export interface MasterLinkStatus {
  readonly masterAddr: string | null
  readonly state: string | null
  readonly lastError: string | null
  /** ms since 1970; null while the link is up. */
  readonly downSinceTimestamp: number | null
  readonly lastReadTimestamp: number | null
  readonly transferredByteInSecond: number
  /** Where its own log ends. */
  readonly maxOffset: number | null
  /** The furthest it knows the master's log to reach. */
  readonly masterEndOffset: number | null
  readonly catchUpFrom: number | null
  readonly gainBytesPerSecond: number | null
  readonly behindMs: number | null
}

export interface HaStatus {
  readonly master: boolean
  readonly inSyncSlaveNums: number
  readonly slaves: readonly SlaveStatus[]
  readonly masterLink: MasterLinkStatus
}

/** What a broker tells about itself. */
export interface BrokerStatus {
  /** Code 28: texts by name. */
  readonly runtime: Readonly<Record<string, string>>
  /** Code 907; null where the broker does not know it. */
  readonly ha: HaStatus | null
}

type Members = Readonly<Record<string, unknown>>

/** The `table` of a GET_BROKER_RUNTIME_INFO answer, null where the body is none. */
export function parseRuntimeTable(body: Buffer): Readonly<Record<string, string>> | null {
  const { table } = parseObject(body) ?? {}
  if (!isObject(table)) return null
  return Object.fromEntries(Object.entries(table).map(([key, value]) => [key, String(value)]))
}

/** A GET_BROKER_HA_STATUS answer (HARuntimeInfo), null where the body is none. Members that are absent or of another kind are null or 0. */
export function parseHaStatus(body: Buffer): HaStatus | null {
  const info = parseObject(body)
  if (info === null) return null
  const connections = Array.isArray(info.haConnectionInfo) ? info.haConnectionInfo.filter(isObject) : []
  const client = isObject(info.haClientRuntimeInfo) ? info.haClientRuntimeInfo : {}
  return {
    master: info.master === true,
    inSyncSlaveNums: number(info.inSyncSlaveNums) ?? 0,
    slaves: connections.map(slaveStatus),
    masterLink: {
      masterAddr: text(client.masterAddr),
      state: text(client.state),
      lastError: text(client.lastError),
      downSinceTimestamp: time(client.downSinceTimestamp),
      lastReadTimestamp: time(client.lastReadTimestamp),
      transferredByteInSecond: number(client.transferredByteInSecond) ?? 0,
      maxOffset: number(client.maxOffset),
      masterEndOffset: position(client.masterEndOffset),
      catchUpFrom: position(client.catchUpFrom),
      gainBytesPerSecond: number(client.gainBytesPerSecond),
      behindMs: number(client.behindMs),
    },
  }
}

function slaveStatus(connection: Members): SlaveStatus {
  return {
    addr: text(connection.addr) ?? '?',
    brokerId: number(connection.brokerId),
    ackLevel: text(connection.ackLevel),
    slaveAckOffset: number(connection.slaveAckOffset) ?? -1,
    diff: number(connection.diff) ?? 0,
    lagMs: number(connection.lagMs),
    inSync: connection.inSync === true,
    transferredByteInSecond: number(connection.transferredByteInSecond) ?? 0,
    catchUpFrom: position(connection.catchUpFrom),
    gainBytesPerSecond: number(connection.gainBytesPerSecond),
    standingStillMs: number(connection.standingStillMs),
  }
}

function parseObject(body: Buffer): Members | null {
  try {
    const value: unknown = JSON.parse(body.toString())
    return isObject(value) ? value : null
  } catch {
    return null
  }
}

function isObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function text(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null
}

function number(value: unknown): number | null {
  return typeof value === 'number' ? value : null
}

/** Brokers write −1 for a position that is not known. */
function position(value: unknown): number | null {
  return typeof value === 'number' && value >= 0 ? value : null
}

/** Brokers write 0 for a time that has not come. */
function time(value: unknown): number | null {
  return typeof value === 'number' && value > 0 ? value : null
}
