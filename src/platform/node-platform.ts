import { randomInt } from 'node:crypto'
import { SeededRandom } from '../base/seeded-random.ts'
import { nodeClock } from './node-clock.ts'
import { nodeFileSystem } from './node-file-system.ts'
import { nodeNetwork } from './node-network.ts'
import type { Platform } from './platform.ts'

/** The machine this process runs on. Each call has its own sequence of random numbers. */
export function nodePlatform(): Platform {
  return {
    clock: nodeClock,
    fileSystem: nodeFileSystem,
    network: nodeNetwork,
    random: new SeededRandom(randomInt(0x1_0000_0000)),
  }
}
