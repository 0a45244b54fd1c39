import { test } from 'vitest'
import { CELL_TIMEOUT_MS, runCell } from '../helpers/matrix.ts'

test(
  'B16 C08: our master, a slave of RocketMQ, its name server: both begin with empty stores; killed under load, acknowledgements are true',
  () => runCell({ master: 'node', slave: 'java', namesrv: 'java', hasLog: false }),
  CELL_TIMEOUT_MS,
)
