import ipaddr from 'ipaddr.js'

/** Address prefixes (`10.64.0.0/10`, `2001:db8::/32`, or one address), compared with addresses of packets. */
export interface Prefix {
  readonly text: string
  contains(address: string): boolean
}

/** Null if the text is neither an address nor a prefix. IPv4-mapped IPv6 is IPv4. */
export function parsePrefix(text: string): Prefix | null {
  const trimmed = text.trim()
  if (!trimmed.includes('/')) {
    if (!ipaddr.isValid(trimmed)) return null
    const address = ipaddr.process(trimmed)
    return { text: trimmed, contains: (other) => other === trimmed || sameAddress(address, other) }
  }
  if (!ipaddr.isValidCIDR(trimmed)) return null
  const [network, bits] = ipaddr.parseCIDR(trimmed)
  return {
    text: trimmed,
    contains(address) {
      if (!ipaddr.isValid(address)) return false
      const parsed = ipaddr.process(address)
      return parsed.kind() === network.kind() && parsed.match(network, bits)
    },
  }
}

function sameAddress(address: ipaddr.IPv4 | ipaddr.IPv6, other: string): boolean {
  return ipaddr.isValid(other) && ipaddr.process(other).toString() === address.toString()
}

/** The unit in which one customer of a network has addresses: one IPv4 address, 64 bits of IPv6. */
export function customerPrefix(address: string): string {
  if (!address.includes(':') || !ipaddr.IPv6.isValid(address)) return address
  const parts = ipaddr.IPv6.parse(address).parts.slice(0, 4)
  return `${parts.map((part) => part.toString(16)).join(':')}::/64`
}

/** Not a place to send to because a packet claimed to come from it: loopback excepted where we listen on loopback. */
export function isUnicast(address: string): boolean {
  if (!ipaddr.isValid(address)) return false
  const range = ipaddr.process(address).range()
  return range !== 'multicast' && range !== 'broadcast' && range !== 'unspecified'
}

export function isLoopback(address: string): boolean {
  return ipaddr.isValid(address) && ipaddr.process(address).range() === 'loopback'
}
