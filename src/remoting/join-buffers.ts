/** From here on a buffer goes to the socket as it is: copying it costs more than handing it over. */
const LARGE_SIZE = 8 * 1024

/** The same bytes in fewer buffers: neighbours that are small become one. Hundreds of short answers leave as one write of one buffer. */
export function joinSmallBuffers(buffers: readonly Buffer[]): readonly Buffer[] {
  if (buffers.length < 2) return buffers
  const joined: Buffer[] = []
  let run: Buffer[] = []
  for (const buffer of buffers) {
    if (buffer.length < LARGE_SIZE) {
      run.push(buffer)
      continue
    }
    if (run.length > 0) joined.push(Buffer.concat(run))
    run = []
    joined.push(buffer)
  }
  if (run.length > 0) joined.push(Buffer.concat(run))
  return joined
}
