import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { atExit } from './at-exit.ts'

/** Gives `use` a new folder on the disk of the system's temporary files (TMPDIR chooses another), which is gone afterwards, come what may. */
export async function withTempFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'ha-broker-bench-'))
  const remove = (): void => rmSync(folder, { recursive: true, force: true })
  const forget = atExit(remove)
  try {
    return await use(folder)
  } finally {
    remove()
    forget()
  }
}
