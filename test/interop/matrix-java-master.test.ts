import { describe, test } from 'vitest'
import { CELL_TIMEOUT_MS, runCell } from '../helpers/matrix.ts'

describe('a master of RocketMQ that waits for its slave, our slave, our name server', () => {
  test.each([false, true])(
    'B16 C08: both are killed under load and come back; acknowledgements are true; the master has a log before: %s',
    (hasLog) => runCell({ master: 'java', slave: 'node', namesrv: 'node', hasLog }),
    CELL_TIMEOUT_MS,
  )
})
