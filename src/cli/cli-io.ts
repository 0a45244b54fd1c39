/** Where a command writes: results to one place, remarks for people to another. */
export interface CliIo {
  /** Writes results. Resolves with false once nobody reads them any more (`| head`): then the command ends quietly. */
  print(text: string): Promise<boolean>
  /** Writes one line for people, which is no result. */
  remark(line: string): void
}

/** Standard output and standard error of this process. */
export function processIo(): CliIo {
  // Each write hears of its own failure; without a listener the same failure would end the process a second time.
  process.stdout.on('error', () => {})
  process.stderr.on('error', () => {})
  return {
    print: (text) =>
      new Promise((resolve, reject) => {
        process.stdout.write(text, (error) => {
          if (error === null || error === undefined) resolve(true)
          else if ((error as NodeJS.ErrnoException).code === 'EPIPE') resolve(false)
          else reject(error)
        })
      }),
    remark: (line) => void process.stderr.write(`${line}\n`),
  }
}
