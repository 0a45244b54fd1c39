import type { Random } from '../base/seeded-random.ts'
import type { Clock } from './clock.ts'
import type { FileSystem } from './file-system.ts'
import type { Network } from './network.ts'

/** Everything outside the process that the broker touches. Production: `nodePlatform()`; tests may bring their own parts. */
export interface Platform {
  readonly clock: Clock
  readonly fileSystem: FileSystem
  readonly network: Network
  readonly random: Random
}
