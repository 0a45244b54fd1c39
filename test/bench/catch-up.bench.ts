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
/** So slow a catch-up is a broken one. */
const CATCH_UP_TIMEOUT_MS = 15 * 60_000

/**
 * How fast an empty slave takes a long log, beside what the disk alone takes on the same machine in the same minutes. The two alternate,
 * because a disk's rate drifts by more than the difference we look for. BENCH_CATCH_UP_GIB shrinks the log.
 */
export const bench: Bench = async (report) => {
  const bytes = Number(process.env.BENCH_CATCH_UP_GIB ?? 4) * GIB
  const catchUps: number[] = []
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
    const master = await BrokerProcess.start('SYNC_MASTER', store, ['--set', `mappedFileSizeCommitLog=${FILE_SIZE}`])
    try {
      for (let round = 0; round < ROUNDS; round++) {
        catchUps.push(await inNewFolder(`${folder}/slave`, (slaveStore) => catchUp(master, slaveStore, filled.endOffset)))
        flushedAppends.push(await inNewFolder(`${folder}/append`, (directory) => append(directory, bytes, FLUSH_INTERVAL_MS)))
        plainAppends.push(await inNewFolder(`${folder}/append`, (directory) => append(directory, bytes, 0)))
      }
    } finally {
      await master.stop()
    }
  })
  const settings = { logGiB: bytes / GIB, bodySize: BODY_SIZE, messages, fileSize: FILE_SIZE, flushDiskType: 'ASYNC_FLUSH' }
  report({ bench: 'catch-up/rate', settings, runs: catchUps.map(toMB), unit: 'MB/s' })
  const disk = { logGiB: bytes / GIB, writeSize: WRITE_SIZE, fileSize: FILE_SIZE }
  const flushed = { ...disk, fdatasyncEveryMs: FLUSH_INTERVAL_MS }
  report({ bench: 'catch-up/cold-append-flushed', settings: flushed, runs: flushedAppends.map(toMB), unit: 'MB/s' })
  report({ bench: 'catch-up/cold-append', settings: disk, runs: plainAppends.map(toMB), unit: 'MB/s' })
  // Against the append that flushes as the slave does; each round with its own.
  const ratios = catchUps.map((rate, round) => rate / (flushedAppends[round] ?? Number.NaN))
  report({ bench: 'catch-up/ratio', settings, runs: ratios, unit: 'of cold-append-flushed', goal: 'at least 0.8' })
}

/** @returns bytes per second from the moment the slave asks for the log until the master knows that it has all of it */
async function catchUp(master: BrokerProcess, store: string, endOffset: number): Promise<number> {
  const args = ['--master', master.listen, '--set', `mappedFileSizeCommitLog=${FILE_SIZE}`]
  const slave = await BrokerProcess.start('SLAVE', store, args)
  const colon = master.listen.lastIndexOf(':')
  const address = { host: master.listen.slice(0, colon), port: Number(master.listen.slice(colon + 1)) }
  const client = new RemotingClient({ ...nodePlatform(), ...address, log: silentLogger })
  try {
    await slave.untilLogged('following the master')
    const startedMs = performance.now()
    while ((await slaveAckOffset(client)) < endOffset) {
      if (performance.now() - startedMs > CATCH_UP_TIMEOUT_MS) throw new Error('the slave does not catch up')
      await sleep(POLL_MS)
    }
    return (endOffset * 1000) / (performance.now() - startedMs)
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
async function inNewFolder(folder: string, use: (folder: string) => Promise<number>): Promise<number> {
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
