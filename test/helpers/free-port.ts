import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'

/** Below what the system gives to outgoing connections, which would take the port of a broker that is being started again. */
const PORTS = { from: 12_000, to: 32_000 } as const

/** A port that was free a moment ago; with room below and above for the ports a broker derives from it. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(PORTS.from, PORTS.to)
    try {
      for (const each of [port - 2, port, port + 1]) await listenOnce(each)
      return port
    } catch {
      // Somebody has one of them; another place then.
    }
  }
}

function listenOnce(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => server.close(() => resolve()))
  })
}
