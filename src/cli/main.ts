import { createRequire } from 'node:module'
import { Argument, Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { explainSystemError, isSystemError } from '../base/system-error.ts'
import type { HostPort } from '../config/config-types.ts'
import { formatHostPort, parseHostPort } from '../config/host-port.ts'
import { nearestKey } from '../config/nearest-key.ts'
import type { LogLevel } from '../platform/pino-logger.ts'
import type { BrokerOptions } from './broker-command.ts'
import { type CliIo, processIo } from './cli-io.ts'
import type { DumpOptions } from './dump-command.ts'
import { ExitCode, exitCodeOf } from './exit-code.ts'
import type { NamesrvOptions } from './namesrv-command.ts'
import type { QuickstartOptions } from './quickstart-command.ts'
import type { SendOptions } from './send-command.ts'
import type { StatusOptions } from './status-command.ts'
import type { TailOptions } from './tail-command.ts'
import type { VerifyOptions } from './verify-command.ts'

/** What each command does once its arguments are understood; resolves with the exit code. */
export interface Runners {
  broker(options: BrokerOptions): Promise<number>
  namesrv(options: NamesrvOptions): Promise<number>
  status(options: StatusOptions): Promise<number>
  send(options: SendOptions): Promise<number>
  tail(options: TailOptions): Promise<number>
  dump(options: DumpOptions): Promise<number>
  verify(options: VerifyOptions): Promise<number>
  quickstart(options: QuickstartOptions): Promise<number>
}

/** A command's code is loaded when it runs, so that a slip in the command line is answered at once. */
function lazyRunners(io: CliIo): Runners {
  return {
    broker: async (options) => (await import('./broker-command.ts')).runBroker(options, io),
    namesrv: async (options) => (await import('./namesrv-command.ts')).runNamesrv(options, io),
    status: async (options) => (await import('./status-command.ts')).runStatus(options, io),
    send: async (options) => (await import('./send-command.ts')).runSend(options, io),
    tail: async (options) => (await import('./tail-command.ts')).runTail(options, io),
    dump: async (options) => (await import('./dump-command.ts')).runDump(options, io),
    verify: async (options) => (await import('./verify-command.ts')).runVerify(options, io),
    quickstart: async (options) => (await import('./quickstart-command.ts')).runQuickstart(options, io),
  }
}

const LOG_LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error', 'silent']
const DEFAULT_BROKER: HostPort = { host: '127.0.0.1', port: 10_911 }
/** As the help says it. */
const DEFAULT_BROKER_TEXT = formatHostPort(DEFAULT_BROKER)
/** Messages of one `send`: the sender keeps nothing per message, so this is a bound on typing slips only. */
const COUNT_MAX = 1_000_000_000
/** A body of this size still fits a remoting frame of 16 MiB with its header. */
const BODY_SIZE_MAX = 16 * 1024 * 1024 - 64 * 1024
/** Requests a broker takes from one connection before it answers SYSTEM_BUSY. */
const IN_FLIGHT_MAX = 4096

/** Prints the script for a shell, and then answers that script: loaded only then, so it is no command like the others. */
const COMPLETE = 'complete'

const EXAMPLES = `
Examples:
  ha-broker quickstart                                 a pair, real sends, the master killed, the slave checked
  ha-broker --role SYNC_MASTER                         a master on 127.0.0.1:10911
  ha-broker --role SLAVE --master 127.0.0.1:10911      its slave on 127.0.0.1:11911
  ha-broker namesrv                                    a name server on 127.0.0.1:9876
  ha-broker send TopicTest hello                       one message to that master
  ha-broker tail TopicTest --from first                what the topic holds, and what comes
  ha-broker status                                     how far the slave is
  ha-broker verify ./data/broker-a-0 ./data/broker-a-1 whether both logs are sound and equal
  source <(ha-broker complete bash)                    commands and options by Tab; also zsh, fish, powershell

ha-broker COMMAND --help says more about one command.`

const BROKER_EXAMPLES = `
Of one key the command line beats --set, that beats the file, that beats the default; NAMESRV_ADDR is honoured.

Examples:
  ha-broker --role SYNC_MASTER --set slaveTimeout=2000
  ha-broker --role SLAVE --master 10.0.0.1:10911 --listen 0.0.0.0:10911 --store /var/lib/ha-broker
  ha-broker -c broker.conf -p`

const STATUS_HELP = `
A slave is "in sync", "catching up" (how much of the way, and how long it still takes), "BEHIND" and not gaining, or "not responding".

--json prints one line {"runtime":{...},"ha":{...}}. runtime: all that request code 28 tells, texts by name. ha (null for brokers
before 5.0): master, inSyncSlaveNums (near enough to count for a send), slaves with addr, brokerId, ackLevel, slaveAckOffset,
diff (bytes behind), lagMs, inSync, standingStillMs, gainBytesPerSecond, catchUpFrom, transferredByteInSecond; masterLink with
masterAddr, state, lastError, downSinceTimestamp, lastReadTimestamp, maxOffset, masterEndOffset, behindMs, gainBytesPerSecond,
catchUpFrom. What a broker does not tell is null.`

/** The whole command line; `finish` gets the exit code of the command that ran. */
function createProgram(runners: Runners, io: CliIo, finish: (code: number) => void): Command {
  const program = new Command('ha-broker')
    .description('A RocketMQ-compatible broker that replicates from a master to its slaves.')
    .version(packageVersion(), '-V, --version')
    .addHelpText('after', EXAMPLES)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void io.print(text),
      writeErr: (text) => io.remark(text.trimEnd()),
      outputError: (text) => io.remark(usageError(text, '')),
    })

  command(program, 'broker', 'start a master or a slave (what happens without a command)', true)
    .option('--role <ROLE>', 'ASYNC_MASTER, SYNC_MASTER or SLAVE (default: ASYNC_MASTER)')
    .option('--master <HOST:PORT>', "a slave's master, by its listen port")
    .option('--ha-master <HOST:PORT>', "a slave's master, by its HA port: the log only")
    .option('--bootstrap <full>', 'a slave without data gets the whole log, also of a RocketMQ master, which gives its last file')
    .option('-c, --config <FILE>', "settings as Java properties, with RocketMQ's keys")
    .option('-n, --namesrv <HOST:PORT[;HOST:PORT]>', 'name servers to register with')
    .option('--listen <HOST:PORT>', 'where clients connect; port 0 takes any free ports')
    .option('--ha-listen <HOST:PORT>', 'where slaves connect (default: the port above --listen)')
    .option('--store <DIR>', 'folder of everything the broker keeps')
    .option('--cluster <NAME>', 'the cluster it belongs to')
    .option('--name <NAME>', 'brokerName, the same on master and slaves')
    .option('--id <N>', "brokerId: 0 is the master's")
    .addOption(settingOption())
    .option('-p, --print-config', 'print the settings in effect and where each comes from, and exit')
    .addOption(new Option('--log-level <LEVEL>', 'least severe lines to write').choices(LOG_LEVELS).default('info'))
    .addHelpText('after', BROKER_EXAMPLES)
    .action(async (options: BrokerOptions) => finish(await runners.broker(options)))

  command(program, 'namesrv', 'start a name server, which tells clients where topics are')
    .option('-c, --config <FILE>', "settings as Java properties, with RocketMQ's keys")
    .option('--listen <HOST:PORT>', 'where brokers and clients connect (default: 127.0.0.1:9876)')
    .addOption(settingOption())
    .option('-p, --print-config', 'print the settings in effect and where each comes from, and exit')
    .addOption(new Option('--log-level <LEVEL>', 'least severe lines to write').choices(LOG_LEVELS).default('info'))
    .action(async (options: NamesrvOptions) => finish(await runners.namesrv(options)))

  command(program, 'status', 'what a broker holds and how far its slaves are')
    .addArgument(new Argument('[HOST:PORT]', 'its listen port').argParser(hostPort).default(DEFAULT_BROKER, DEFAULT_BROKER_TEXT))
    .option('--json', 'everything, for machines')
    .addHelpText('after', STATUS_HELP)
    .action(async (broker: HostPort, { json = false }: { json?: boolean }) => finish(await runners.status({ broker, json })))

  command(program, 'send', 'send messages and say what became of them')
    .argument('<TOPIC>', 'made by the broker where it does not exist')
    .argument('[TEXT]', 'the body; where absent, bodies are made up')
    .addOption(brokerOption('listen port of the master'))
    .option('--count <N>', 'messages', wholeNumber(1, COUNT_MAX), 1)
    .option('--size <BYTES>', 'size of each body', wholeNumber(1, BODY_SIZE_MAX))
    .option('--in-flight <N>', 'sends under way at once', wholeNumber(1, IN_FLIGHT_MAX), 32)
    .option('--tag <TAG>', 'tag of each message')
    .option('--key <KEY>', 'key of each message')
    .option('--json', 'the summary as one JSON line')
    .addHelpText('after', '\nExits with 0 only if every message was answered SEND_OK, with 6 where the broker cannot be reached.')
    .action(async (topic: string, text: string | undefined, options: SendFlags) =>
      finish(await runners.send({ ...options, topic, text, json: options.json ?? false })),
    )

  command(program, 'tail', 'print the messages of a topic as they come, from a master or a slave')
    .argument('<TOPIC>')
    .addOption(brokerOption('listen port of the broker'))
    .addOption(
      new Option('--from <PLACE>', 'first: all that the broker has; last: only what comes')
        .choices(['first', 'last'])
        .default('last'),
    )
    .option('--count <N>', 'end after so many messages', wholeNumber(1, Number.MAX_SAFE_INTEGER))
    .option('--json', 'one JSON line per message, as dump prints them')
    .addHelpText(
      'after',
      '\nFollows until Ctrl-C or --count. Nothing is consumed: no group moves. Exits with 6 where the broker cannot be reached.',
    )
    .action(async (topic: string, options: TailFlags) =>
      finish(await runners.tail({ ...options, topic, json: options.json ?? false })),
    )

  command(program, 'dump', 'print stored messages as JSON lines')
    .argument('<DIR>', 'store folder, with commitlog in it; a running broker may be using it')
    .option('--from <OFFSET>', 'commit-log offset of the first record', wholeNumber(0, Number.MAX_SAFE_INTEGER))
    .option('--count <N>', 'records at most', wholeNumber(1, Number.MAX_SAFE_INTEGER))
    .action(async (directory: string, options: Omit<DumpOptions, 'directory'>) =>
      finish(await runners.dump({ ...options, directory })),
    )

  command(program, 'verify', 'check every record of a store, or of two that should be equal')
    .argument('<DIR>', 'store folder, with commitlog in it; nothing in it is changed')
    .argument('[OTHER_DIR]', 'the store of the other half of a pair')
    .option('--json', 'the findings as one JSON line')
    .addHelpText('after', '\nExits with 5 where a store is damaged or the two logs differ, and says where.')
    .action(async (directory: string, otherDirectory: string | undefined, { json = false }: { json?: boolean }) =>
      finish(await runners.verify({ directory, otherDirectory, json })),
    )

  command(program, 'quickstart', 'master and slave, real sends, the master killed, what the slave holds proven')
    .option('--keep <DIR>', 'leave both stores in this new folder, for dump and verify')
    .action(async (options: QuickstartOptions) => finish(await runners.quickstart(options)))

  return program
}

type TailFlags = Omit<TailOptions, 'topic' | 'json'> & { readonly json?: boolean }
type SendFlags = Omit<SendOptions, 'topic' | 'text' | 'json'> & { readonly json?: boolean }

function brokerOption(description: string): Option {
  return new Option('--broker <HOST:PORT>', description).argParser(hostPort).default(DEFAULT_BROKER, DEFAULT_BROKER_TEXT)
}

function settingOption(): Option {
  return new Option('--set <KEY=VALUE>', 'one setting by its key; may be repeated').argParser(collect).default([], 'none')
}

function command(program: Command, name: string, description: string, isDefault = false): Command {
  return program
    .command(name, { isDefault })
    .description(description)
    .configureOutput({ outputError: (text, write) => write(usageError(text, ` ${name}`)) })
}

/** Commander's message as one line of ours: what is wrong, what was meant, where to read on. */
function usageError(text: string, name: string): string {
  const problem = text
    .replace(/^error: /, '')
    .trim()
    .replace(/\s*\n\s*/g, ' ')
    .replace(/\.$/, '')
  return `ha-broker: ${problem}; see ha-broker${name} --help`
}

/**
 * Runs what `args` (without node and script) ask for.
 * @returns the exit code; what went wrong has been said in one line
 */
export async function runCommandLine(args: readonly string[], io: CliIo, runners: Runners): Promise<number> {
  let code: number = ExitCode.UNEXPECTED
  const program = createProgram(runners, io, (result) => {
    code = result
  })
  const unknown = unknownCommand(args, program)
  if (unknown !== null) {
    io.remark(unknown)
    return ExitCode.USAGE
  }
  try {
    if (args[0] === COMPLETE) {
      const { default: addCompletion } = await import('@bomb.sh/tab/commander')
      addCompletion(program)
      code = ExitCode.DONE
    }
    await program.parseAsync(args, { from: 'user' })
    return code
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.DONE : ExitCode.USAGE
    io.remark(`ha-broker: ${problemText(error)}`)
    return exitCodeOf(error)
  }
}

/** Errors of ours say what to do; what the system says in its own words is put into ours. */
function problemText(error: unknown): string {
  if (!isSystemError(error)) return error instanceof Error ? error.message : String(error)
  const { problem, remedy } = explainSystemError(error)
  return `${error.path === undefined ? '' : `${error.path}: `}${problem}; ${remedy}`
}

/**
 * Whatever stands first and is no flag must be a command. Commander itself would take it for an argument of the default command, and
 * complain about the flags behind it.
 */
function unknownCommand([first]: readonly string[], program: Command): string | null {
  const names = program.commands.map((known) => known.name())
  if (first === undefined || first.startsWith('-') || [...names, 'help', COMPLETE].includes(first)) return null
  const nearest = nearestKey(first, names)
  const hint = nearest === null ? '' : ` (Did you mean ${nearest}?)`
  return `ha-broker: unknown command '${first}'${hint}; the commands are ${names.join(', ')}; see ha-broker --help`
}

/** Runs the command line of this process and sets its exit code; the process ends when nothing is left to do. */
export async function main(args: readonly string[]): Promise<void> {
  const io = processIo()
  process.exitCode = await runCommandLine(args, io, lazyRunners(io))
}

function collect(text: string, before: readonly string[]): string[] {
  return [...before, text]
}

function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN
    if (!(value >= min && value <= max)) throw new InvalidArgumentError(`Write a whole number from ${min} to ${max}.`)
    return value
  }
}

function hostPort(text: string): HostPort {
  const address = parseHostPort(text)
  if (address === null || address.port === 0) throw new InvalidArgumentError('Write HOST:PORT, for instance 127.0.0.1:10911.')
  return address
}

/** The package finds itself by its name, from the sources and from `dist` alike. */
function packageVersion(): string {
  return (createRequire(import.meta.url)('ha-broker/package.json') as { version: string }).version
}
