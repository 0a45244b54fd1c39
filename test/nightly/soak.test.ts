import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { runVerify } from '../../src/cli/verify-command.ts'
import { BrokerProcess } from '../helpers/broker-process.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { RecordingIo } from '../unit/cli/recording-io.ts'
import { MixedLoad } from './mixed-load.ts'
import { minutesOf, printFigures, TIMEOUT_MARGIN_MS } from './nightly-settings.ts'
import { ProcessFigures } from './process-figures.ts'

const MINUTES = minutesOf('NIGHTLY_SOAK_MINUTES')
/** Code gets compiled, tables and buffers their size, and retention begins (a minute after the start); of a short run its first half. */
const WARM_UP_MS = Math.min(2, MINUTES / 2) * 60_000
const SAMPLE_MS = 1000
/** Of the median: what garbage collection leaves between its rounds. */
const RSS_GROWTH_MAX = 0.1
const HANDLES_GROWTH_MAX = 4
/** Small, so that many of its files come and go. */
const INDEX_GEOMETRY = { hashSlotNum: 5000, indexNum: 20_000 }
/** Everything but the newest file is old at once. */
const SMALL_AND_SHORT_LIVED = [
  ['mappedFileSizeCommitLog', '4194304'],
  ['mappedFileSizeConsumeQueue', '20000'],
  ['maxIndexNum', String(INDEX_GEOMETRY.indexNum)],
  ['maxHashSlotNum', String(INDEX_GEOMETRY.hashSlotNum)],
  ['fileReservedTime', '0'],
  ['deleteWhen', Array.from({ length: 24 }, (_, hour) => String(hour).padStart(2, '0')).join(';')],
  ['cleanResourceInterval', '500'],
  ['deleteCommitLogFilesInterval', '10'],
  ['deleteConsumeQueueFilesInterval', '1'],
].flatMap(([key, value]) => ['--set', `${key}=${value}`])

test(
  `a pair under mixed load for ${MINUTES} minutes: memory and handles of both stay where they are, old files go, the logs are equal`,
  async () => {
    const folder = temporaryFolder()
    const stores = [join(folder, 'm'), join(folder, 's')] as const
    const master = await BrokerProcess.master(stores[0], ...SMALL_AND_SHORT_LIVED)
    const slave = await BrokerProcess.slave(stores[1], master, ...SMALL_AND_SHORT_LIVED)
    await master.haStatusWhen((status) => status.inSyncSlaveNums === 1)
    const endMs = performance.now() + MINUTES * 60_000
    const load = new MixedLoad(master, slave)
    await master.haStatusWhen((status) => status.masterCommitLogMaxOffset > 100_000)
    load.read()
    await sleep(WARM_UP_MS)
    const figures = { master: new ProcessFigures(master.pid), slave: new ProcessFigures(slave.pid) }
    for (; performance.now() < endMs; await sleep(SAMPLE_MS)) for (const one of Object.values(figures)) one.sample()
    await load.stop()
    const { masterCommitLogMaxOffset } = await master.haStatusWhen(({ haConnectionInfo: [link] }) => link?.diff === 0)
    const logFiles = stores.map((store) => readdirSync(join(store, 'commitlog')).length)
    expect(await slave.kill('SIGTERM')).toBe(0)
    expect(await master.kill('SIGTERM')).toBe(0)
    const io = new RecordingIo()
    const [directory, otherDirectory] = stores
    const code = await runVerify({ directory, otherDirectory, json: false, indexGeometry: INDEX_GEOMETRY }, io)
    const text = io.output

    const trends = Object.entries(figures).map(([role, one]) => ({
      role,
      rssMB: one.trend('rssMB'),
      handles: one.trend('handles'),
    }))
    printFigures({ minutes: MINUTES, warmUpMs: WARM_UP_MS, ...load.counts, masterCommitLogMaxOffset, logFiles, verify: text })
    for (const trend of trends) printFigures(trend)
    for (const { role, rssMB, handles } of trends) {
      expect(rssMB.growth, `memory of the ${role}`).toBeLessThan(rssMB.median * RSS_GROWTH_MAX)
      expect(handles.growth, `handles of the ${role}`).toBeLessThan(HANDLES_GROWTH_MAX)
    }
    expect(load.counts).toMatchObject({ notAcked: 0, wrong: 0 })
    expect(load.counts.pulled).toBeGreaterThan(load.counts.acked)
    expect(text).toMatch(/^EQUAL from/m)
    expect(text).not.toMatch(/INDEX|not in the queues|not indexed/)
    expect(code).toBe(0)
    for (const role of [master, slave]) {
      expect(role.lines.filter(({ level }) => level === 'error')).toEqual([])
      if (MINUTES > 2) expect(role.lines.some(({ msg }) => msg === 'a file of the commit log was deleted')).toBe(true)
    }
  },
  MINUTES * 60_000 + TIMEOUT_MARGIN_MS,
)
