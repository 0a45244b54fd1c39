import { test } from 'vitest'
import { runSwap, SWAP_TIMEOUT_MS } from '../helpers/store-swap.ts'

test(
  "D06: after kill -9 a broker of ours goes on with a store of RocketMQ's, and gives it back",
  () => runSwap('java', 'SIGKILL'),
  SWAP_TIMEOUT_MS,
)
