/** Called once with the error, or with null and how many bytes were moved. */
export type IoCallback = (error: NodeJS.ErrnoException | null, bytes: number) => void

/** One open file. All positions and sizes are bytes. Callback forms use the thread pool, the others block the loop. */
export interface FileHandle {
  readonly path: string
  size(): number
  /** Reads up to `target.length` bytes at `at`; fewer only at the end of the file. */
  readSync(target: Uint8Array, at: number): number
  read(target: Uint8Array, at: number, done: IoCallback): void
  /** Writes all of `buffers` one behind the other from `at`, or throws: a short write is carried on, never reported as done. */
  writeSync(buffers: readonly Uint8Array[], at: number): void
  write(buffers: readonly Uint8Array[], at: number, done: IoCallback): void
  /** Sets the size; what is added reads as zeros and takes no space on disk. */
  truncateSync(size: number): void
  fdatasyncSync(): void
  fdatasync(done: (error: NodeJS.ErrnoException | null) => void): void
  closeSync(): void
  /** Closes on the thread pool: the last close of a file without a name frees its space, which for a large one takes long. */
  close(done: (error: NodeJS.ErrnoException | null) => void): void
}

export interface FileStat {
  readonly isDirectory: boolean
  readonly size: number
  readonly modifiedMs: number
  readonly device: number
  readonly inode: number
}

/** The room on the disk that holds a path, in bytes. */
export interface DiskUsage {
  readonly total: number
  /** What no file uses. */
  readonly free: number
  /** What this user may still fill: less than `free` where the system keeps some back for itself. */
  readonly available: number
}

/** Called once with the error, or with null and what was asked for. */
export type DiskUsageCallback = (error: NodeJS.ErrnoException | null, usage: DiskUsage | null) => void

/** `read`: must exist. `write`: must exist, read and write. `create`: read and write, made where missing. */
export type OpenMode = 'read' | 'write' | 'create'

/**
 * The only way to the disk, so that the store runs on a simulated one. Every method throws NodeJS.ErrnoException as the system says it.
 * Names made, moved or removed are safe only after `syncDirectorySync` of their folder.
 */
export interface FileSystem {
  openSync(path: string, mode: OpenMode): FileHandle
  /** File names in `path`, sorted; an absent folder is empty. */
  listSync(path: string): string[]
  statSync(path: string): FileStat | null
  /** Makes the folder and all above it. */
  makeDirectorySync(path: string): void
  readFileSync(path: string): Buffer | null
  renameSync(from: string, to: string): void
  unlinkSync(path: string): void
  /** Removes a file, or a folder with all in it, on the thread pool; an absent one is removed already. */
  removeTree(path: string, done: (error: NodeJS.ErrnoException | null) => void): void
  syncDirectorySync(path: string): void
  syncDirectory(path: string, done: (error: NodeJS.ErrnoException | null) => void): void
  /** Asks the disk that holds `path`, which must exist (statfs). On the thread pool, because a disk that is away may take long to answer. */
  diskUsage(path: string, done: DiskUsageCallback): void
}
