import { PassThrough } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { ConfigError, HaError } from '../../../src/base/errors.ts'
import { createPinoLogger, type LogLevel } from '../../../src/platform/pino-logger.ts'

async function jsonLogger(level: LogLevel) {
  const lines: string[] = []
  const logger = await createPinoLogger({ level, pretty: false, destination: { write: (line) => void lines.push(line) } })
  return { logger, lines }
}

describe('JSON lines', () => {
  test('a line carries level, ISO time, fields and message; no pid, no host name', async () => {
    const { logger, lines } = await jsonLogger('info')
    logger.child({ component: 'ha' }).info({ slave: '127.0.0.1:1' }, 'transfer starts')
    const line = JSON.parse(lines[0] ?? '') as Record<string, unknown>
    expect(Object.keys(line).sort()).toEqual(['component', 'level', 'msg', 'slave', 'time'])
    expect(line).toMatchObject({ level: 'info', component: 'ha', slave: '127.0.0.1:1', msg: 'transfer starts' })
    expect(line.time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
    expect(lines[0]?.endsWith('\n')).toBe(true)
  })

  test('lines are written before the call returns', async () => {
    const { logger, lines } = await jsonLogger('info')
    logger.error({}, 'last words')
    expect(lines).toHaveLength(1)
  })

  test('levels below the chosen one write nothing', async () => {
    const { logger, lines } = await jsonLogger('warn')
    logger.debug({}, 'a')
    logger.info({}, 'b')
    logger.warn({}, 'c')
    logger.error({}, 'd')
    expect(lines.map((line) => (JSON.parse(line) as { msg: string }).msg)).toEqual(['c', 'd'])
  })

  test.each(['err', 'error'])('an error under `%s` shows message, code and details', async (key) => {
    const { logger, lines } = await jsonLogger('info')
    logger.warn({ [key]: new ConfigError('CONFIG_BAD_VALUE', 'no', { value: 7 }) }, 'x')
    const line = JSON.parse(lines[0] ?? '') as Record<string, unknown>
    expect(line[key]).toMatchObject({ message: 'no', code: 'CONFIG_BAD_VALUE', details: { value: 7 } })
  })

  test('what a peer, a disk or a user caused carries no stack; a mistake of ours does', async () => {
    const { logger, lines } = await jsonLogger('info')
    logger.warn({ err: new HaError('HA_REPORT_REFUSED', 'no', {}, new Error('inner')) }, 'x')
    logger.warn({ err: Object.assign(new Error('ENOSPC: no space'), { code: 'ENOSPC' }) }, 'x')
    logger.warn({ err: new TypeError('x is not a function') }, 'x')
    const [refused, full, mistake] = lines.map((line) => (JSON.parse(line) as { err: Record<string, unknown> }).err)
    expect(refused).toMatchObject({ type: 'HaError', code: 'HA_REPORT_REFUSED', message: 'no: inner' })
    expect([refused?.stack, full?.stack]).toEqual([undefined, undefined])
    expect(full).toMatchObject({ code: 'ENOSPC' })
    expect(mistake?.stack).toContain('pino-logger.test.ts')
  })

  test('at level debug every error has its stack', async () => {
    const { logger, lines } = await jsonLogger('debug')
    logger.warn({ err: new HaError('HA_REPORT_REFUSED', 'no') }, 'x')
    expect((JSON.parse(lines[0] ?? '') as { err: { stack: string } }).err.stack).toContain('pino-logger.test.ts')
  })
})

test('pretty lines are for people', async () => {
  const stream = new PassThrough()
  const logger = await createPinoLogger({ level: 'info', pretty: true, destination: stream })
  logger.info({ haListen: 10912 }, 'ready')
  const text = String(await new Promise((resolve) => stream.once('data', resolve)))
  expect(text).toMatch(/INFO.*ready/)
  expect(text).toContain('haListen: 10912')
})
