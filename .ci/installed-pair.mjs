// Run in a folder where the package is installed: one acknowledged message through a master and a slave that are separate processes.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const folder = mkdtempSync(join(tmpdir(), 'installed-pair-'))
const bin = join('node_modules', '.bin', 'ha-broker')
const children = []

/** Starts a broker and resolves with the fields of the first log line that `isWanted`. */
async function start(args, isWanted) {
  const child = spawn(bin, [...args, '--listen', '127.0.0.1:0'], { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  for await (const line of createInterface({ input: child.stdout })) {
    process.stdout.write(`${line}\n`)
    const fields = JSON.parse(line)
    if (isWanted(fields)) {
      child.stdout.resume()
      return fields
    }
  }
  throw new Error(`${args.join(' ')} ended before it was ready`)
}

try {
  const master = await start(['--role', 'SYNC_MASTER', '--store', join(folder, 'm')], ({ msg }) => msg === 'ready')
  await start(
    ['--role', 'SLAVE', '--master', master.listen, '--store', join(folder, 's')],
    ({ msg }) => msg === 'following the master',
  )
  const sent = spawnSync(bin, ['send', 'TopicTest', 'hello', '--broker', master.listen], { stdio: 'inherit' })
  if (sent.status !== 0) throw new Error(`send ended with ${sent.status}`)
} finally {
  for (const child of children) {
    child.kill('SIGTERM')
    if (child.exitCode === null) await once(child, 'exit')
  }
  rmSync(folder, { recursive: true })
}
process.stdout.write('the installed package works\n')
