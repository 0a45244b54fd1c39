import { mkdir, rm } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { silentLogger } from '../../src/base/logger.ts'
import { nodePlatform } from '../../src/platform/node-platform.ts'
import { RemotingClient } from '../../src/remoting/remoting-client.ts'
import { createRequest } from '../../src/wire/remoting-command.ts'
import { RequestCode } from '../../src/wire/request-code.ts'
import { BrokerProcess } from './lib/broker-process.ts'
import { runJob } from './lib/child-job.ts'
import type { ColdAppendOrder, ColdAppendResult } from './lib/cold-append.ts'
import { type LoopDelay, LoopDelayWatch } from './lib/loop-delay.ts'
import type { Bench } from './lib/report.ts'
import type { FillOrder, FillResult } from './lib/store-filler.ts'
import { withTempFolder } from './lib/temp-folder.ts'

const GIB = 1024 ** 3
const ROUNDS = 3
const BODY_SIZE = 256
const FILE_SIZE = GIB
const WRITE_SIZE = 1024 ** 2
const FLUSH_INTERVAL_MS = 500
const POLL_MS = 100
const CALL_TIMEOUT_MS = 5000
const SAME_FILE_SIZE = ['--set', `mappedFileSizeCommitLog=${FILE_SIZE}`]
/** So slow a catch-up is a broken one. */
const CATCH_UP_TIMEOUT_MS = 15 * 60_000

interface CatchUp {
  /** From the moment the slave asks for the log until the master knows that it has all of it. */
  readonly bytesPerSecond: number
  /** Processor time meanwhile, of all threads. */
  readonly masterCpuMs: number
  readonly slaveCpuMs: number
  readonly masterLoop: LoopDelay
  readonly slaveLoop: LoopDelay
}

/**
 * How fast an empty slave takes a long log, beside what the disk alone takes on the same machine in the same minutes; and whether either role
 * neglects its event loop meanwhile. Catch-ups and appends alternate, because a disk's rate drifts by more than the difference we look for.
 * BENCH_CATCH_UP_GIB shrinks the log.
 */
export const bench: Bench = async (report) => {
  const bytes = Number(process.env.BENCH_CATCH_UP_GIB ?? 4) * GIB
  const catchUps: CatchUp[] = []
  const flushedAppends: number[] = []
  const plainAppends: number[] = []
  let messages = 0
  await withTempFolder(async (folder) => {
    const store = `${folder}/master`
    const filled = await runJob<FillOrder, FillResult>(new URL('./lib/store-filler.ts', import.meta.url), {
      directory: store,
      commitLogFileSize: FILE_SIZE,
      bytes,
      bodySize: BODY_SIZE,
    })
    messages = filled.messages
    const loop = new LoopDelayWatch(`${folder}/master-loop`)
    const master = await BrokerProcess.start('SYNC_MASTER', store, SAME_FILE_SIZE, loop.nodeArgs)
    try {
      for (let round = 0; round < ROUNDS; round++) {
        catchUps.push(await inNewFolder(`${folder}/slave`, (slaveFolder) => catchUp(master, loop, slaveFolder, filled.endOffset)))
        flushedAppends.push(await inNewFolder(`${folder}/append`, (directory) => append(directory, bytes, FLUSH_INTERVAL_MS)))
        plainAppends.push(await inNewFolder(`${folder}/append`, (directory) => append(directory, bytes, 0)))
      }
    } finally {
      await master.stop()
    }
  })
  const settings = { logGiB: bytes / GIB, bodySize: BODY_SIZE, messages, fileSize: FILE_SIZE, flushDiskType: 'ASYNC_FLUSH' }
  const rates = catchUps.map(({ bytesPerSecond }) => toMB(bytesPerSecond))
  report({ bench: 'catch-up/rate', settings, runs: rates, unit: 'MB/s' })
  const disk = { logGiB: bytes / GIB, writeSize: WRITE_SIZE, fileSize: FILE_SIZE }
  const flushed = { ...disk, fdatasyncEveryMs: FLUSH_INTERVAL_MS }
  report({ bench: 'catch-up/cold-append-flushed', settings: flushed, runs: flushedAppends.map(toMB), unit: 'MB/s' })
  report({ bench: 'catch-up/cold-append', settings: disk, runs: plainAppends.map(toMB), unit: 'MB/s' })
  // Against the append that flushes as the slave does; each round with its own.
  const ratios = catchUps.map(({ bytesPerSecond }, round) => bytesPerSecond / (flushedAppends[round] ?? Number.NaN))
  report({ bench: 'catch-up/ratio', settings, runs: ratios, unit: 'of cold-append-flushed', goal: 'at least 0.8' })
  for (const role of ['master', 'slave'] as const) {
    const cpu = catchUps.map((round) => round[`${role}CpuMs`] / 1000 / (bytes / 1e9))
    report({ bench: `catch-up/${role}-cpu`, settings, runs: cpu, unit: 's of a core per GB' })
    const loops = catchUps.map((round) => round[`${role}Loop`])
    const p99 = loops.map(({ p99Ms }) => p99Ms)
    report({ bench: `catch-up/${role}-loop-delay-p99`, settings, runs: p99, unit: 'ms', goal: 'below 20' })
    report({ bench: `catch-up/${role}-loop-delay-max`, settings, runs: loops.map(({ maxMs }) => maxMs), unit: 'ms' })
  }
}

async function catchUp(master: BrokerProcess, masterLoop: LoopDelayWatch, folder: string, endOffset: number): Promise<CatchUp> {
  const slaveLoop = new LoopDelayWatch(`${folder}/loop`)
  const args = ['--master', master.listen, ...SAME_FILE_SIZE]
  const slave = await BrokerProcess.start('SLAVE', `${folder}/store`, args, slaveLoop.nodeArgs)
  const colon = master.listen.lastIndexOf(':')
  const address = { host: master.listen.slice(0, colon), port: Number(master.listen.slice(colon + 1)) }
  const client = new RemotingClient({ ...nodePlatform(), ...address, log: silentLogger })
  try {
    await slave.untilLogged('following the master')
    const startedMs = performance.now()
    const masterBeforeMs = master.cpuMs()
    const slaveBeforeMs = slave.cpuMs()
    await Promise.all([masterLoop.take(master), slaveLoop.take(slave)])
    while ((await slaveAckOffset(client)) < endOffset) {
      if (performance.now() - startedMs > CATCH_UP_TIMEOUT_MS) throw new Error('the slave does not catch up')
      await sleep(POLL_MS)
    }
    const bytesPerSecond = (endOffset * 1000) / (performance.now() - startedMs)
    return {
      bytesPerSecond,
      masterCpuMs: master.cpuMs() - masterBeforeMs,
      slaveCpuMs: slave.cpuMs() - slaveBeforeMs,
      masterLoop: await masterLoop.take(master),
      slaveLoop: await slaveLoop.take(slave),
    }
  } finally {
    await client.close()
    await slave.stop()
  }
}

async function slaveAckOffset(client: RemotingClient): Promise<number> {
  const { body } = await client.invoke(createRequest(RequestCode.GET_BROKER_HA_STATUS), CALL_TIMEOUT_MS)
  const status = JSON.parse(body.toString()) as { haConnectionInfo: { slaveAckOffset: number }[] }
  return Math.max(0, ...status.haConnectionInfo.map((slave) => slave.slaveAckOffset))
}

async function append(directory: string, bytes: number, syncIntervalMs: number): Promise<number> {
  const order = { directory, bytes, fileSize: FILE_SIZE, writeSize: WRITE_SIZE, syncIntervalMs }
  const module = new URL('./lib/cold-append.ts', import.meta.url)
  return (await runJob<ColdAppendOrder, ColdAppendResult>(module, order)).bytesPerSecond
}

/** What one round wrote must be neither on the disk nor on its way there in the next. */
async function inNewFolder<T>(folder: string, use: (folder: string) => Promise<T>): Promise<T> {
  await mkdir(folder)
  try {
    return await use(folder)
  } finally {
    await rm(folder, { recursive: true })
  }
}

function toMB(bytes: number): number {
  return bytes / 1e6
}
