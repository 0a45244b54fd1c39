import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, expect, onTestFinished, test } from 'vitest'
import { LOG_FILE_SIZE, logContent, overwrite, RealDisk, TestStore } from '../helpers/store-fixture.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

const BIN = new URL('../../dist/bin/ha-broker.js', import.meta.url).pathname
const PACKAGE = new URL('../../package.json', import.meta.url)

interface Outcome {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** Starts the built command line; killed when the test ends. */
function start(args: readonly string[], env: Record<string, string> = {}): ChildProcess {
  const child = spawn(process.execPath, [BIN, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NAMESRV_ADDR: '', ...env },
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  return child
}

async function outcomeOf(child: ChildProcess): Promise<Outcome> {
  let stdout = ''
  let stderr = ''
  child.stdout?.on('data', (chunk) => {
    stdout += chunk
  })
  child.stderr?.on('data', (chunk) => {
    stderr += chunk
  })
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
  return { code, signal, stdout, stderr }
}

function run(args: readonly string[], env?: Record<string, string>): Promise<Outcome> {
  return outcomeOf(start(args, env))
}

/** Resolves with the first line of its output that `wanted` accepts. */
async function lineOf(child: ChildProcess, wanted: (line: string) => boolean): Promise<string> {
  if (child.stdout === null) throw new Error('no output')
  for await (const line of createInterface({ input: child.stdout })) if (wanted(line)) return line
  throw new Error('the line did not come')
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

describe('the command line', () => {
  test('--version prints the version of the package', async () => {
    const { version } = JSON.parse(readFileSync(PACKAGE, 'utf8')) as { version: string }
    expect(await run(['--version'])).toMatchObject({ code: 0, stdout: `${version}\n`, stderr: '' })
  })

  test.each([
    [
      ['complete', '--', ''],
      ['broker', 'status', 'send', 'dump', 'verify', 'quickstart'],
    ],
    [['complete', '--', 'broker', '--r'], ['--role']],
    [['complete', '--', 'send', '--in'], ['--in-flight']],
  ])('%j answers the shell with what may stand there', async (args, words) => {
    const { code, stdout, stderr } = await run(args)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const offered = stdout.split('\n').map((line) => line.split('\t')[0])
    expect(offered).toEqual(expect.arrayContaining(words))
  })

  test.each(['bash', 'zsh', 'fish'])('complete %s prints the script for that shell', async (shell) => {
    const { code, stdout } = await run(['complete', shell])
    expect(code).toBe(0)
    expect(stdout).toContain('ha-broker')
    expect(stdout).toContain('complete --')
  })

  test('complete for a shell that is not known is refused in one line', async () => {
    const { code, stdout, stderr } = await run(['complete', 'tcsh'])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/^ha-broker: [^\n]*tcsh[^\n]*\n$/)
  })

  test.each([[['--version']], [['--rol', 'SLAVE']], [['--role', 'MASTER']], [['namesrv', '--listen', 'x']], [['namesrv', '-p']]])(
    '%j is answered without loading what only a running command needs',
    async (args) => {
      const folder = temporaryFolder()
      await run(args, { NODE_V8_COVERAGE: folder }) // lists every script that was loaded
      const loaded = readdirSync(folder)
        .map((name) => readFileSync(join(folder, name), 'utf8'))
        .join()
      expect(loaded).toContain('/node_modules/commander/')
      for (const part of [
        '/node_modules/pino',
        '/node_modules/cli-progress/',
        '/node_modules/@bomb.sh/',
        '/src/broker/',
        '/src/namesrv/',
        '/src/store/',
        '/src/remoting/',
      ])
        expect(loaded).not.toContain(part)
    },
  )

  test.each([
    [['--rol', 'SLAVE'], "unknown option '--rol' (Did you mean --role?)"],
    [['verifi', 'x'], "unknown command 'verifi' (Did you mean verify?); the commands are broker, namesrv, status"],
    [['--role', 'MASTER'], '"MASTER" is not one of ASYNC_MASTER, SYNC_MASTER, SLAVE (--role)'],
    [['--role', 'SYNC_MASTER', '--master', '127.0.0.1:1'], 'a master follows nobody'],
    [['--role', 'SLAVE'], 'add --master HOST:PORT'],
    [['--set', 'slaveTimout=1'], 'did you mean slaveTimeout?'],
    [['--set', 'slaveTimeout'], 'is not KEY=VALUE'],
    [['--listen', 'here'], '"here" is not HOST:PORT (--listen)'],
    [['-c', '/no/such/file'], '-c /no/such/file: the file cannot be read: there is no such file or folder (ENOENT)'],
    [['-c', '/'], '-c /: the file cannot be read: it is a folder, not a file (EISDIR)'],
    [['--listen', '192.0.2.1:0'], 'the port 192.0.2.1:0 cannot be opened: this machine has no such address (EADDRNOTAVAIL)'],
    [['--store', '/proc/no/store'], 'the store folder /proc/no/store cannot be used: /proc/no: '],
    [['--store', '/dev/null/store'], 'a part of the path is a file, not a folder (ENOTDIR)'],
    [['dump', '/no/such/store'], '/no/such/store is no folder'],
    [['verify', '/'], '/ has no commitlog folder'],
  ])('%j exits with 2 and one line that says why', async (args, message) => {
    const { code, stdout, stderr } = await run(args)
    expect(stderr).toMatch(/^ha-broker: [^\n]+\n$/)
    expect(stderr).toContain(message)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  })

  test('a line of the -c file is named', async () => {
    const file = join(temporaryFolder(), 'broker.conf')
    writeFileSync(file, '# a comment\nbrokerRole=SYNC_MASTER\nhaListenPrt=7\n')
    const { code, stderr } = await run(['-c', file])
    expect(stderr).toContain(`${file}:3`)
    expect(stderr).toContain('did you mean haListenPort?')
    expect(code).toBe(2)
  })

  test('-p prints the settings in effect with their origins, and starts nothing', async () => {
    const folder = temporaryFolder()
    const file = join(folder, 'broker.conf')
    writeFileSync(file, Buffer.from('brokerName=caf\u00e9\nslaveTimeout=1000\nhaListenPort=7\n', 'latin1'))
    const args = ['-c', file, '--set', 'slaveTimeout=1500', '--role', 'SYNC_MASTER', '--store', join(folder, 'store'), '-p']
    const { code, stdout, stderr } = await run(args, { NAMESRV_ADDR: '127.0.0.1:9876' })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain('# command line\nbrokerRole=SYNC_MASTER\n')
    expect(stdout).toContain(`# ${file}:1\nbrokerName=caf\\u00e9\n`)
    expect(stdout).toContain('# --set\nslaveTimeout=1500\n')
    expect(stdout).toContain(`# ${file}:3\nhaListenPort=7\n`)
    expect(stdout).toContain('# environment\nnamesrvAddr=127.0.0.1:9876\n')
    expect(readdirSync(folder)).toEqual(['broker.conf'])
  })

  test.each([[['send', 'T', 'hi', '--broker', '127.0.0.1:1']], [['status', '127.0.0.1:1']]])(
    '%j: nobody there is 6, and names the address',
    async (args) => {
      const { code, stderr } = await run(args)
      expect(code).toBe(6)
      expect(stderr).toMatch(/^ha-broker: [^\n]*127\.0\.0\.1:1[^\n]*\n$/)
    },
  )
})

describe('dump and verify', () => {
  /** 300 messages in a store of small files, stopped in order. */
  async function storedDisk(): Promise<RealDisk> {
    const store = await TestStore.open(new RealDisk())
    for (let i = 0; i < 300; i++) await store.put({ body: `${i} `.repeat(100), queueId: i % 4 })
    await store.store.stop()
    return store.disk
  }

  test('dump prints one line per record, and ends quietly when nobody reads on', async () => {
    const disk = await storedDisk()
    const { code, stdout } = await run(['dump', disk.root])
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { physicOffset: number; body: string; crcOk: boolean })
    expect(lines.map(({ physicOffset }) => physicOffset)).toEqual(
      logContent(disk).records.map(({ physicOffset }) => physicOffset),
    )
    expect(lines[7]).toMatchObject({ body: '7 '.repeat(100), crcOk: true })
    expect(code).toBe(0)

    const child = start(['dump', disk.root])
    child.stdout?.destroy()
    expect(await outcomeOf(child)).toMatchObject({ code: 0, stderr: '' })
  })

  test('dump --from names the boundaries around an offset that is none', async () => {
    const disk = await storedDisk()
    const [first, second] = logContent(disk).records
    const { code, stderr } = await run(['dump', disk.root, '--from', '5'])
    expect(stderr).toContain(`begins at ${first?.physicOffset}, the next one at ${second?.physicOffset}`)
    expect(code).toBe(2)
  })

  test('verify: 0 for equal stores, 5 for a damaged one, with the offset', async () => {
    const disk = await storedDisk()
    const copy = disk.copy()
    const equal = await run(['verify', disk.root, copy.root])
    expect(equal.stdout).toContain(`EQUAL from 0 to ${logContent(disk).end}; both end there`)
    expect(equal).toMatchObject({ code: 0, stderr: '' })

    const { physicOffset } = logContent(copy).records[100] ?? { physicOffset: -1 }
    overwrite(copy.fileSystem, join(copy.root, 'commitlog', '0'.repeat(20)), physicOffset + 120, Buffer.from([0xff]))
    const damaged = await run(['verify', disk.root, copy.root])
    expect(damaged.stdout).toContain(`DAMAGED at ${physicOffset}: a body that does not match its CRC`)
    expect(damaged.stdout).toContain(`DIFFERENT: the first byte that differs is at ${physicOffset + 120}`)
    expect(damaged.code).toBe(5)
  })

  test('verify: a file of another length is damage', async () => {
    const disk = await storedDisk()
    writeFileSync(join(disk.root, 'commitlog', String(LOG_FILE_SIZE).padStart(20, '0')), 'short')
    const { code, stderr } = await run(['verify', disk.root])
    expect(stderr).toContain('has 5 bytes')
    expect(code).toBe(5)
  })
})

describe('quickstart', () => {
  test('proves that what was acknowledged is on the slave, and leaves nothing behind', async () => {
    const temporary = temporaryFolder()
    const { code, stdout, stderr } = await run(['quickstart'], { TMPDIR: temporary })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/acknowledged ([\d,]+), found \1, missing 0/)
    expect(stdout).toMatch(/^logs +equal from 0 up to offset \d+/m)
    expect(readdirSync(temporary)).toEqual([])
    for (const [, pid] of stdout.matchAll(/pid (\d+)/g)) expect(isAlive(Number(pid))).toBe(false)
  })

  test('--keep leaves both stores for verify, and refuses a folder with something in it', async () => {
    const folder = join(temporaryFolder(), 'kept')
    expect((await run(['quickstart', '--keep', folder])).code).toBe(0)
    expect((await run(['verify', join(folder, 'master'), join(folder, 'slave')])).code).toBe(0)
    const { code, stderr } = await run(['quickstart', '--keep', folder])
    expect(stderr).toContain('is not empty')
    expect(code).toBe(2)
  })

  test.each([
    ['SIGINT', 130, /^master +pid/],
    ['SIGTERM', 143, /^slave +pid/],
  ] as const)('%s ends both brokers, removes the folder and exits with %i', async (signal, code, when) => {
    const temporary = temporaryFolder()
    const child = start(['quickstart'], { TMPDIR: temporary })
    const line = await lineOf(child, (text) => when.test(text))
    child.kill(signal)
    child.stdout?.resume()
    const { code: exitCode } = await outcomeOf(child)
    expect(exitCode).toBe(code)
    expect(readdirSync(temporary)).toEqual([])
    expect(isAlive(Number(/pid (\d+)/.exec(line)?.[1]))).toBe(false)
  })

  test('its brokers end when it is killed itself', async () => {
    const child = start(['quickstart'], { TMPDIR: temporaryFolder() })
    const line = await lineOf(child, (text) => /^master +pid/.test(text))
    const pid = Number(/pid (\d+)/.exec(line)?.[1])
    onTestFinished(() => void (isAlive(pid) && process.kill(pid, 'SIGKILL')))
    child.kill('SIGKILL')
    while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 20))
  })

  test('a broker that dies early is reported with its last lines, and 1', async () => {
    const temporary = temporaryFolder()
    const child = start(['quickstart'], { TMPDIR: temporary })
    const line = await lineOf(child, (text) => /^slave +pid/.test(text))
    process.kill(Number(/pid (\d+)/.exec(line)?.[1]), 'SIGKILL')
    child.stdout?.resume()
    const { code, stderr } = await outcomeOf(child)
    expect(stderr).toMatch(/^ha-broker: the slave ended by SIGKILL; its last lines:\n {2}\{.*"ready"/m)
    expect(code).toBe(1)
    expect(readdirSync(temporary)).toEqual([])
  })
})
