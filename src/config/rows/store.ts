import type { ConfigRow } from '../config-types.ts'
import { INT32_MAX } from './common.ts'

/** Folders, files and memory of the store. */
export const STORE_ROWS = [
  {
    name: 'storePathRootDir',
    type: 'path',
    default: (known) => `./data/${known.brokerName}-${known.brokerId}`,
    defaultText: './data/<brokerName>-<brokerId>',
    doc: 'The folder of everything this broker keeps. RocketMQ: ~/store.',
  },
  {
    name: 'storePathCommitLog',
    type: 'path',
    default: (known) => `${known.storePathRootDir}/commitlog`,
    defaultText: '<storePathRootDir>/commitlog',
    doc: 'The folder of the commit log. One only: RocketMQ takes several, this broker does not.',
  },
  {
    name: 'storePathConsumeQueue',
    type: 'path',
    default: (known) => `${known.storePathRootDir}/consumequeue`,
    defaultText: '<storePathRootDir>/consumequeue',
    doc: 'The folder of the queues.',
  },
  {
    name: 'storePathIndex',
    type: 'path',
    default: (known) => `${known.storePathRootDir}/index`,
    defaultText: '<storePathRootDir>/index',
    doc: 'The folder of the index of keys.',
  },
  {
    name: 'storeCheckpoint',
    type: 'path',
    default: (known) => `${known.storePathRootDir}/checkpoint`,
    defaultText: '<storePathRootDir>/checkpoint',
    doc: 'The file that tells up to when everything is on disk.',
  },
  {
    name: 'abortFile',
    type: 'path',
    default: (known) => `${known.storePathRootDir}/abort`,
    defaultText: '<storePathRootDir>/abort',
    doc: 'The file that is there while the broker runs: found at start, it tells of a crash.',
  },
  {
    name: 'mappedFileSizeCommitLog',
    type: 'integer',
    min: 4096,
    max: INT32_MAX,
    unit: 'bytes',
    default: 1024 ** 3,
    doc: 'Size of one commit-log file. The same on master and slave, and never changed once the store exists.',
  },
  {
    name: 'mappedFileSizeConsumeQueue',
    type: 'integer',
    min: 1,
    max: INT32_MAX - (INT32_MAX % 20),
    multipleOf: 20,
    unit: 'bytes',
    default: 6_000_000,
    doc: 'Size of one queue file, rounded up to a multiple of 20, the size of an entry. Never changed once the store exists.',
  },
  {
    name: 'commitLogTailSize',
    type: 'integer',
    min: 4 * 1024 ** 2,
    max: 1024 ** 3,
    unit: 'bytes',
    default: 32 * 1024 ** 2,
    doc: 'Ours. Newest part of the commit log kept in memory; slaves and consumers that are that close to its end read no file.',
  },
] as const satisfies readonly ConfigRow[]
