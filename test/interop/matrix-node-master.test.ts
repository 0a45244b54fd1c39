import { describe, test } from 'vitest'
import { CELL_TIMEOUT_MS, runCell } from '../helpers/matrix.ts'

describe('our master, a slave of RocketMQ, its name server', () => {
  test.each([false, true])(
    'B16 C08: both are killed under load and come back; acknowledgements are true; the master has a log before: %s',
    (hasLog) => runCell({ master: 'node', slave: 'java', namesrv: 'java', hasLog }),
    CELL_TIMEOUT_MS,
  )
})
