import { createServer } from 'node:net'

/**
 * A lock that the system gives back when the process ends, however it ends: a listening socket in Linux' abstract name space.
 * @returns a function that gives it back; null when another process has it; 'unsupported' on systems without such sockets
 */
export function acquireProcessLock(name: string): Promise<(() => void) | null | 'unsupported'> {
  if (process.platform !== 'linux') return Promise.resolve('unsupported')
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy())
    server.unref()
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(null)
      else reject(error)
    })
    server.listen(`\0${name}`, () => resolve(() => server.close()))
  })
}
