import { test } from 'vitest'
import { runSwap, SWAP_TIMEOUT_MS } from '../helpers/store-swap.ts'

test(
  "D06: after kill -9 a broker of RocketMQ's goes on with a store of ours, and gives it back",
  () => runSwap('node', 'SIGKILL'),
  SWAP_TIMEOUT_MS,
)
