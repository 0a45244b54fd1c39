/** A place to connect to. IPv6 literals stand without brackets. */
export interface HostPort {
  readonly host: string
  readonly port: number
}

/** What one key can hold once parsed; null: not set. */
export type ConfigValue =
  | string
  | number
  | boolean
  | HostPort
  | readonly HostPort[]
  | readonly string[]
  | readonly number[]
  | null

/** What a default may depend on: the rows above it in the table, and the address of this machine. */
export interface KnownSoFar {
  readonly brokerRole: string
  readonly brokerName: string
  readonly brokerId: number
  readonly bindAddress: string
  readonly listenPort: number
  readonly haBindAddress: string
  readonly brokerIP1: string
  readonly storePathRootDir: string
  /** First address of this machine that others can reach; 127.0.0.1 where it has none. */
  readonly externalAddress: string
}

interface Row<Type extends string, Value> {
  readonly name: string
  readonly type: Type
  /** A value, or how it follows from other keys; then `defaultText` says so in words. */
  readonly default: Value | ((known: KnownSoFar) => Value)
  readonly defaultText?: string
  readonly doc: string
}

interface IntegerRow extends Row<'integer', number> {
  readonly min: number
  readonly max: number
  readonly unit?: 'bytes' | 'ms' | 'pages' | 'hours' | 'percent' | 'files'
  /** Values between two multiples are rounded up, as in RocketMQ. */
  readonly multipleOf?: number
  /** Whether a number beyond a bound counts as that bound, as in RocketMQ, with a warning; refused otherwise. */
  readonly clamps?: boolean
}

interface ChoiceRow extends Row<'choice', string> {
  readonly choices: readonly string[]
}

/**
 * One key. `name`: no blanks, no slashes (it becomes part of a folder's name) · `ip`: a literal address, so that it can be written
 * into message ids · `host`: a literal or a host name · `address`: HOST:PORT · `addresses`: several, `;` between ·
 * `durations`: numbers with a unit of s, m, h or d, blanks between · `hostRanges`: addresses or CIDR ranges, `,` between · `hours`: of the day, 0 to 23, `;` between · `path`: of a file or folder.
 * The `optional` ones may be absent (null).
 */
export type ConfigRow =
  | IntegerRow
  | ChoiceRow
  | Row<'boolean', boolean>
  | Row<'name' | 'ip' | 'host' | 'path' | 'durations', string>
  | Row<'optionalAddress', HostPort | null>
  | Row<'addresses', readonly HostPort[]>
  | Row<'hostRanges', readonly string[]>
  | Row<'hours', readonly number[]>

/** The TypeScript type of a row's value. */
export type ValueOf<R extends ConfigRow> = R extends { readonly type: 'integer' }
  ? number
  : R extends { readonly type: 'boolean' }
    ? boolean
    : R extends { readonly type: 'choice'; readonly choices: readonly (infer Choice)[] }
      ? Choice
      : R extends { readonly type: 'optionalAddress' }
        ? HostPort | null
        : R extends { readonly type: 'addresses' }
          ? readonly HostPort[]
          : R extends { readonly type: 'hostRanges' }
            ? readonly string[]
            : R extends { readonly type: 'hours' }
              ? readonly number[]
              : string

/** Where a value comes from; a file shows as `FILE:LINE`. */
export type ConfigOrigin = 'command line' | 'program' | '--set' | 'environment' | 'default' | `${string}:${number}`

/** One key as somebody wrote it. */
export interface Setting {
  readonly key: string
  readonly text: string
  readonly origin: ConfigOrigin
  /** For messages: the flag, the `--set`, the line of the file. */
  readonly where: string
}

/** Something to be logged at start: `message` is constant, `fields` hold the values. */
export interface ConfigNote {
  readonly level: 'debug' | 'info' | 'warn'
  readonly message: string
  readonly fields: Readonly<Record<string, string | number | boolean | readonly string[]>>
}
