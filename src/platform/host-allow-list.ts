import { BlockList, isIPv4, isIPv6 } from 'node:net'

/**
 * Who may come in, by address (`haAllowedHosts`). An empty list lets everybody in; one with entries only those in it, so what is no
 * address stays out. IPv4 and its mapped IPv6 form are the same host.
 * @param entries IPv4 or IPv6 addresses, or ranges such as 10.1.0.0/16; the configuration has checked them
 * @throws TypeError or RangeError of Node for an entry that is neither
 */
export function hostAllowList(entries: readonly string[]): (host: string) => boolean {
  if (entries.length === 0) return () => true
  const list = new BlockList()
  for (const entry of entries) {
    const [address = '', prefix] = entry.split('/')
    const family = isIPv4(address) ? 'ipv4' : 'ipv6'
    if (prefix === undefined) list.addAddress(address, family)
    else list.addSubnet(address, Number(prefix), family)
  }
  return (host) => {
    const [address = ''] = host.split('%') // a link-local peer may carry the name of our interface
    if (isIPv4(address)) return list.check(address, 'ipv4')
    return isIPv6(address) && list.check(address, 'ipv6')
  }
}
