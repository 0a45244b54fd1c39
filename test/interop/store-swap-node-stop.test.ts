import { test } from 'vitest'
import { runSwap, SWAP_TIMEOUT_MS } from '../helpers/store-swap.ts'

test(
  "D06: after a clean stop a broker of RocketMQ's goes on with a store of ours, and gives it back",
  () => runSwap('node', 'SIGTERM'),
  SWAP_TIMEOUT_MS,
)
