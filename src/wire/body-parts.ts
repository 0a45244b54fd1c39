/** A body that lies in several places. Its bytes must not change until `release` is called: once, when they have left or never will. */
export interface BodyParts {
  /** In order; none empty. */
  readonly buffers: readonly Buffer[]
  /** Bytes of all of them. */
  readonly size: number
  release(): void
}
