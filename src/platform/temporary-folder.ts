import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A new folder among the system's temporary ones. */
export interface TemporaryFolder {
  readonly path: string
  /** Removes it with all that is in it; safe to call twice. */
  remove(): void
}

/** @throws NodeJS.ErrnoException where the system has no room or no right for one */
export function makeTemporaryFolder(): TemporaryFolder {
  const path = mkdtempSync(join(tmpdir(), 'ha-broker-'))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}
