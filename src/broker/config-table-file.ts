import { dirname, join } from 'node:path'
import type { Logger } from '../base/logger.ts'
import type { Clock, Timer } from '../platform/clock.ts'
import { loadConfigFile } from '../platform/config-file.ts'
import type { FileHandle, FileSystem } from '../platform/file-system.ts'
import { type JsonObject, parseFastjson } from '../wire/fastjson-reader.ts'

/** A turn of the loop makes text no longer than this, */
const TURN_MS = 2
/** and no more of it; so much is in memory at a time, however large the table. */
const PIECE_CHARS = 64 * 1024
/** Pieces between two looks at the clock. */
const PIECES_PER_LOOK = 32
/** From the end of a write to the next: a table that changes all the time is written a few times a second. */
const PAUSE_MS = 200
/** After a write that failed. */
const RETRY_MS = 10_000

type Done = (error: NodeJS.ErrnoException | null) => void

/** Turns of the thread pool; the store's readers take theirs in the same place, so the pool's threads are enough for all. */
interface IoTurns {
  run(who: object, work: (done: () => void) => void): void
}

/** What the tables of one broker are kept with. */
export interface ConfigStorage {
  readonly fileSystem: FileSystem
  readonly clock: Clock
  readonly logger: Logger
  readonly turns: IoTurns
  /** `storePathRootDir`; the files are in `config` below it. */
  readonly directory: string
}

/**
 * A table of the `config` folder (ConfigManager): written whole some time after each change, at most one write at a time, next to it and then
 * put in its place, so that a crash or a full disk leaves the old or the new content, never none (D07; stock 5.x overwrites in place). The
 * content before stays as `.bak`. All slow work is done on the thread pool, and the text is made in slices.
 */
export class ConfigTableFile {
  readonly #storage: ConfigStorage
  readonly #path: string
  readonly #makeText: () => Iterable<string>
  /** Whether what stands in the file may become the `.bak`. */
  #isFileWhole = false
  #isDirty = false
  #isWriting = false
  #timer: Timer | null = null
  #waiters: ((isSaved: boolean) => void)[] = []

  /**
   * @param name of the file
   * @param makeText called once per write: text of the table as it is at that moment, or newer where it changes meanwhile
   */
  constructor(storage: ConfigStorage, name: string, makeText: () => Iterable<string>) {
    this.#storage = storage
    this.#path = join(storage.directory, 'config', name)
    this.#makeText = makeText
  }

  /**
   * What is on file; null where there is nothing. Blocks the loop: before anybody is served.
   * @throws StoreError STORE_DAMAGED as loadConfigFile
   */
  load(): JsonObject | null {
    const { fileSystem } = this.#storage
    let looks = 0
    const content = loadConfigFile(fileSystem, this.#path, (text) => {
      looks++
      return parseFastjson(text)
    })
    this.#isFileWhole = content !== null && looks === 1 // the second look is at the .bak
    if (looks === 2)
      this.#storage.logger.warn({ path: this.#path }, 'a table is damaged: the one before it, from its .bak, is used')
    return content as JsonObject | null
  }

  /** The table has changed and is to be written. */
  changed(): void {
    this.#isDirty = true
    if (!this.#isWriting) this.#timer ??= this.#storage.clock.setTimer(0, this.#write)
  }

  /** Resolves when all changes so far are on file, with true, or the try to write them has failed; that is in the log. */
  flush(): Promise<boolean> {
    if (!this.#isDirty && !this.#isWriting) return Promise.resolve(true)
    return new Promise((resolve) => {
      this.#waiters.push(resolve)
      if (!this.#isWriting) this.#write()
    })
  }

  /** Writes what has changed. Nothing is tried again after that. */
  async stop(): Promise<void> {
    await this.flush()
    this.#timer?.cancel()
    this.#timer = null
  }

  readonly #write = (): void => {
    this.#timer?.cancel()
    this.#timer = null
    this.#isDirty = false
    this.#isWriting = true
    this.#replace((error) => this.#written(error))
  }

  #written(error: NodeJS.ErrnoException | null): void {
    const { clock, logger } = this.#storage
    this.#isWriting = false
    if (error !== null) {
      this.#isDirty = true
      logger.error({ err: error, path: this.#path }, 'a table could not be saved: it is right in memory, and tried again')
    }
    if (this.#waiters.length > 0 && this.#isDirty && error === null) return this.#write() // it has changed meanwhile
    if (this.#isDirty) this.#timer = clock.setTimer(error === null ? PAUSE_MS : RETRY_MS, this.#write)
    const waiters = this.#waiters
    this.#waiters = []
    for (const resolve of waiters) resolve(error === null)
  }

  #replace(done: Done): void {
    const { fileSystem } = this.#storage
    const temporaryPath = `${this.#path}.tmp`
    let handle: FileHandle
    try {
      fileSystem.makeDirectorySync(dirname(this.#path))
      handle = fileSystem.openSync(temporaryPath, 'create')
    } catch (error) {
      return done(error as NodeJS.ErrnoException)
    }
    this.#fill(handle, (writeError) => {
      try {
        handle.closeSync()
        if (writeError !== null) return done(writeError)
        if (this.#isFileWhole && fileSystem.statSync(this.#path) !== null) fileSystem.renameSync(this.#path, `${this.#path}.bak`)
        fileSystem.renameSync(temporaryPath, this.#path)
      } catch (error) {
        return done(error as NodeJS.ErrnoException)
      }
      this.#isFileWhole = true
      this.#inTurn((end) => fileSystem.syncDirectory(dirname(this.#path), end), done)
    })
  }

  /** Writes the whole text into an open file and forces it to the disk. */
  #fill(handle: FileHandle, done: Done): void {
    const pieces = this.#makeText()[Symbol.iterator]()
    let at = 0
    const step: Done = (error) => {
      if (error !== null) return done(error)
      const text = this.#nextText(pieces)
      if (text === '') return this.#inTurn((end) => handle.fdatasync(end), done)
      const bytes = Buffer.from(text)
      const start = at
      at += bytes.length
      this.#inTurn((end) => handle.write([bytes], start, end), step)
    }
    try {
      handle.truncateSync(0)
    } catch (error) {
      return done(error as NodeJS.ErrnoException)
    }
    step(null)
  }

  /** So much text as one turn may make, empty at its end. */
  #nextText(pieces: Iterator<string>): string {
    const { clock } = this.#storage
    const deadlineMs = clock.monotonicMs() + TURN_MS
    let text = ''
    for (let count = 1; text.length < PIECE_CHARS; count++) {
      const piece = pieces.next()
      if (piece.done === true) break
      text += piece.value
      if (count % PIECES_PER_LOOK === 0 && clock.monotonicMs() >= deadlineMs) break
    }
    return text
  }

  #inTurn(work: (end: Done) => void, then: Done): void {
    this.#storage.turns.run(this, (done) =>
      work((error) => {
        done()
        then(error)
      }),
    )
  }
}
