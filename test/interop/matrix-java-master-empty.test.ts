import { test } from 'vitest'
import { CELL_TIMEOUT_MS, runCell } from '../helpers/matrix.ts'

test(
  'B16 C08: a master of RocketMQ that waits for its slave, our slave, our name server: both begin with empty stores; killed under load, acknowledgements are true',
  () => runCell({ master: 'java', slave: 'node', namesrv: 'node', hasLog: false }),
  CELL_TIMEOUT_MS,
)
