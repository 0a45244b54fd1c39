import { networkInterfaces } from 'node:os'

/** The first IPv4 address of this machine that others can reach; undefined where it has none. */
export function firstExternalAddress(): string | undefined {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .find(({ family, internal }) => family === 'IPv4' && !internal)?.address
}
