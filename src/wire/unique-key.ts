/** What makes the keys of two processes differ. */
export interface UniqueKeyOrigin {
  /** Four bytes, usually of an address. */
  readonly host: Buffer
  readonly pid: number
  /** 32 bits that differ from one life of the process to the next. */
  readonly salt: number
}

/**
 * Makes message keys of RocketMQ's form (MessageClientIDSetter): 32 upper-case hex digits of
 * | host 4 | pid 2 | salt 4 | ms since the first key 4 | counter 2 |.
 */
export class UniqueKeyMaker {
  readonly #prefix: string
  #baseMs = 0
  #counter = 0

  constructor({ host, pid, salt }: UniqueKeyOrigin) {
    this.#prefix = host.subarray(0, 4).toString('hex').padEnd(8, '0').toUpperCase() + hex(pid & 0xffff, 4) + hex(salt >>> 0, 8)
  }

  next(nowMs: number): string {
    if (this.#baseMs === 0) this.#baseMs = nowMs
    const key = this.#prefix + hex((nowMs - this.#baseMs) >>> 0, 8) + hex(this.#counter, 4)
    this.#counter = (this.#counter + 1) & 0xffff
    return key
  }
}

function hex(value: number, digits: number): string {
  return value.toString(16).toUpperCase().padStart(digits, '0')
}
