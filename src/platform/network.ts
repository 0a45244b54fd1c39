/** Where a connection or a listener stands. `host` is a literal IPv4 or IPv6 address, IPv4 never in its mapped IPv6 form. */
export interface Address {
  readonly host: string
  readonly port: number
}

/**
 * One TCP connection (no delay, no half-open). Callbacks are single: the owner sets them once, right after it got the connection.
 */
export interface Connection {
  readonly remote: Address
  readonly local: Address
  /** Bytes handed to `write` that the kernel has not taken yet. */
  readonly bufferedBytes: number
  /** `view` is valid during the call only: the buffer behind it is used again. */
  onData: (view: Buffer) => void
  /** The kernel has taken everything after a `write` that returned false. */
  onDrain: () => void
  /** Exactly once, also after `destroy`; `error` where the end was not a clean one. */
  onClose: (error: Error | null) => void
  /**
   * Sends `buffers` in order as one unit. They must not change until `released` is called (always, also when the connection dies).
   * @returns false when the peer takes bytes slower than they come: wait for `onDrain` before writing more
   */
  write(buffers: readonly Buffer[], released?: () => void): boolean
  /** Stops reading (the kernel's window does the rest) until `resume`. */
  pause(): void
  resume(): void
  /** Sends what was written, then closes. */
  end(): void
  /** Closes at once; unsent bytes are lost. */
  destroy(): void
}

export interface Listener {
  /** The real port, also where 0 was asked for. */
  readonly address: Address
  /** Stops accepting; connections that live go on. */
  close(): Promise<void>
}

export interface ConnectOptions {
  readonly host: string
  readonly port: number
  readonly timeoutMs: number
}

/** The only way to the network, so that the same classes run on a simulated one. */
export interface Network {
  /** @throws NodeJS.ErrnoException (rejection) EADDRINUSE, EACCES, EADDRNOTAVAIL as the system says it */
  listen(address: Address, onConnection: (connection: Connection) => void): Promise<Listener>
  /** Resolves `host` anew at each call, so a changed address is followed. Rejects after `timeoutMs`. */
  connect(options: ConnectOptions): Promise<Connection>
}
