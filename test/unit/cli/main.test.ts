import { describe, expect, test } from 'vitest'
import { ConfigError } from '../../../src/base/errors.ts'
import { type Runners, runCommandLine } from '../../../src/cli/main.ts'
import { RecordingIo } from './recording-io.ts'

/** Runs the command line with runners that only note what they are given; all answer 0 unless told otherwise. */
async function run(args: readonly string[], answer: () => number = () => 0) {
  const io = new RecordingIo()
  const calls: [string, unknown][] = []
  const note = (name: string) => async (options: unknown) => {
    calls.push([name, options])
    return answer()
  }
  const names = ['broker', 'namesrv', 'status', 'send', 'tail', 'dump', 'verify', 'quickstart']
  const runners = Object.fromEntries(names.map((name) => [name, note(name)])) as unknown as Runners
  const code = await runCommandLine(args, io, runners)
  return { code, calls, io }
}

describe('what was typed becomes typed options', () => {
  test('without a command a broker starts', async () => {
    const { calls } = await run([
      '--role',
      'SLAVE',
      '--master',
      'h:1',
      '-c',
      'f',
      '-n',
      'a:1;b:2',
      '--set',
      'x=1',
      '--set',
      'y=2',
    ])
    expect(calls).toEqual([
      ['broker', { role: 'SLAVE', master: 'h:1', config: 'f', namesrv: 'a:1;b:2', set: ['x=1', 'y=2'], logLevel: 'info' }],
    ])
  })

  test('with nothing at all a broker starts too', async () => {
    expect((await run([])).calls).toEqual([['broker', { set: [], logLevel: 'info' }]])
  })

  test('broker may be said', async () => {
    const { calls } = await run([
      'broker',
      '--listen',
      '127.0.0.1:0',
      '--ha-listen',
      '127.0.0.1:0',
      '--ha-master',
      'h:2',
      '--bootstrap',
      'full',
      '-p',
    ])
    expect(calls).toEqual([
      [
        'broker',
        {
          listen: '127.0.0.1:0',
          haListen: '127.0.0.1:0',
          haMaster: 'h:2',
          bootstrap: 'full',
          printConfig: true,
          set: [],
          logLevel: 'info',
        },
      ],
    ])
  })

  test.each([
    [['namesrv'], { set: [], logLevel: 'info' }],
    [
      ['namesrv', '-c', 'f', '--listen', 'h:1', '--set', 'x=1', '-p'],
      { config: 'f', listen: 'h:1', set: ['x=1'], printConfig: true, logLevel: 'info' },
    ],
    [['status'], { broker: { host: '127.0.0.1', port: 10911 }, json: false }],
    [['status', '[::1]:7', '--json'], { broker: { host: '::1', port: 7 }, json: true }],
    [['send', 'T'], { topic: 'T', broker: { host: '127.0.0.1', port: 10911 }, count: 1, inFlight: 32, json: false }],
    [
      [
        'send',
        'T',
        'hi',
        '--broker',
        'h:1',
        '--count',
        '5',
        '--size',
        '9',
        '--in-flight',
        '2',
        '--tag',
        'a',
        '--key',
        'k',
        '--json',
      ],
      { topic: 'T', text: 'hi', broker: { host: 'h', port: 1 }, count: 5, size: 9, inFlight: 2, tag: 'a', key: 'k', json: true },
    ],
    [['tail', 'T'], { topic: 'T', broker: { host: '127.0.0.1', port: 10911 }, from: 'last', json: false }],
    [
      ['tail', 'T', '--broker', 'h:1', '--from', 'first', '--count', '3', '--json'],
      { topic: 'T', broker: { host: 'h', port: 1 }, from: 'first', count: 3, json: true },
    ],
    [['dump', 'd'], { directory: 'd' }],
    [['dump', 'd', '--from', '0', '--count', '3'], { directory: 'd', from: 0, count: 3 }],
    [['verify', 'd'], { directory: 'd', json: false }],
    [['verify', 'd', 'e', '--json'], { directory: 'd', otherDirectory: 'e', json: true }],
    [['quickstart'], {}],
    [['quickstart', '--keep', 'd'], { keep: 'd' }],
  ])('%j', async (args, options) => {
    const { calls, code } = await run(args)
    expect(calls).toEqual([[args[0], options]])
    expect(code).toBe(0)
  })
})

describe('a slip is answered with 2, and names what, the value and the way out', () => {
  test.each([
    [['--rol', 'SLAVE'], "unknown option '--rol' (Did you mean --role?); see ha-broker broker --help"],
    [['sned', 'T', '--count', '5'], "unknown command 'sned' (Did you mean send?)"],
    [['namsrv'], "unknown command 'namsrv' (Did you mean namesrv?)"],
    [
      ['zzz'],
      "unknown command 'zzz'; the commands are broker, namesrv, status, send, tail, dump, verify, quickstart; see ha-broker --help",
    ],
    [['--role', 'SLAVE', 'rest'], "too many arguments for 'broker'"],
    [['send'], "missing required argument 'TOPIC'; see ha-broker send --help"],
    [['send', 'T', '--count', '0'], "'--count <N>' argument '0' is invalid. Write a whole number from 1 to"],
    [['send', 'T', '--in-flight', '4097'], "argument '4097' is invalid"],
    [['send', 'T', '--broker', 'nohost'], 'Write HOST:PORT, for instance 127.0.0.1:10911'],
    [['status', 'host:0'], 'Write HOST:PORT'],
    [['tail', 'T', '--from', 'middle'], 'Allowed choices are first, last'],
    [['tail', 'T', '--count', '0'], "argument '0' is invalid"],
    [['dump', 'd', '--from', '-1'], "'-1' is invalid"],
    [['dump', 'd', '--from', '1.5'], "'1.5' is invalid"],
    [['--log-level', 'loud'], 'Allowed choices are debug, info, warn, error, silent'],
    [['--set'], "'--set <KEY=VALUE>' argument missing"],
  ])('%j', async (args, message) => {
    const { code, io, calls } = await run(args)
    expect(code).toBe(2)
    expect(calls).toEqual([])
    expect(io.remarks).toHaveLength(1)
    expect(io.remarks[0]).toMatch(/^ha-broker: [^\n]*$/)
    expect(io.remarks[0]).toContain(message)
  })
})

describe('help and version', () => {
  test('--version prints the version of the package', async () => {
    const { code, io } = await run(['--version'])
    expect(io.output).toMatch(/^\d+\.\d+\.\d+\n$/)
    expect(code).toBe(0)
  })

  test.each([[['--help']], [['help']], [['help', 'send']], [['send', '--help']]])('%j', async (args) => {
    const { code, io, calls } = await run(args)
    expect(code).toBe(0)
    expect(io.output).toContain('Usage: ha-broker')
    expect(calls).toEqual([])
  })

  test.each(['broker', 'namesrv', 'status', 'send', 'tail'])('%s --help tells defaults as they are typed', async (command) => {
    const { io } = await run([command, '--help'])
    expect(io.output).not.toMatch(/default: [[{]/)
    if (!['broker', 'namesrv'].includes(command)) expect(io.output).toContain('(default: 127.0.0.1:10911)')
  })

  test('what does not exist yet is not listed', async () => {
    const { io } = await run(['--help'])
    for (const name of ['promote', 'repair']) expect(io.output).not.toMatch(new RegExp(`^ +${name}\\b`, 'm'))
  })
})

describe('the exit code', () => {
  test('is that of the command', async () => {
    expect((await run(['status'], () => 6)).code).toBe(6)
  })

  test('of an error is that of the table, and its message one line without a stack', async () => {
    const { code, io } = await run(['status'], () => {
      throw new ConfigError('CONFIG_BAD_VALUE', 'k: "v" is wrong; write another')
    })
    expect(code).toBe(2)
    expect(io.remarks).toEqual(['ha-broker: k: "v" is wrong; write another'])
  })

  test('an error of the system is told in words, with the file and a way out', async () => {
    const { code, io } = await run(['dump', 'x'], () => {
      throw Object.assign(new Error("EACCES: permission denied, open '/x/commitlog'"), { code: 'EACCES', path: '/x/commitlog' })
    })
    expect(code).toBe(1)
    expect(io.remarks).toEqual([
      'ha-broker: /x/commitlog: this user has no right to do that (EACCES); give this user the right to',
    ])
  })

  test('the members of --json are told in the help', async () => {
    const { io } = await run(['status', '--help'])
    for (const member of ['runtime', 'masterLink', 'standingStillMs', 'masterEndOffset', 'behindMs', 'catchUpFrom'])
      expect(io.output).toContain(member)
  })
})
