import { test } from 'vitest'
import { CELL_TIMEOUT_MS, runCell } from '../helpers/matrix.ts'

test(
  'B16 C08: our master, a slave of RocketMQ, its name server: the master has a log of several files before its slave comes; killed under load, acknowledgements are true',
  () => runCell({ master: 'node', slave: 'java', namesrv: 'java', hasLog: true }),
  CELL_TIMEOUT_MS,
)
