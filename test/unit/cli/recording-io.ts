import type { CliIo } from '../../../src/cli/cli-io.ts'

/** Keeps what a command says. */
export class RecordingIo implements CliIo {
  output = ''
  readonly remarks: string[] = []
  #readsUpTo: number

  /** @param readsUpTo characters after which nobody reads any more, as behind `| head` */
  constructor(readsUpTo = Number.POSITIVE_INFINITY) {
    this.#readsUpTo = readsUpTo
  }

  print(text: string): Promise<boolean> {
    if (this.output.length >= this.#readsUpTo) return Promise.resolve(false)
    this.output += text
    return Promise.resolve(true)
  }

  remark(line: string): void {
    this.remarks.push(line)
  }

  /** The output as JSON lines. */
  get lines(): Record<string, unknown>[] {
    return this.output
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
  }
}
