import { isIPv4, isIPv6 } from 'node:net'

/**
 * Addresses in one spelling: IPv6 without brackets and zone, compressed as RFC 5952 says, IPv4-mapped IPv6 as IPv4.
 * An access list for 127.0.0.1 must mean ::ffff:127.0.0.1 too.
 */
export function canonicalAddress(address: string): string {
  if (!address.includes(':')) return address
  const zone = address.indexOf('%')
  const bare = zone === -1 ? address : address.slice(0, zone)
  if (!isIPv6(bare)) return bare.toLowerCase()
  const compressed = compress(bare)
  return compressed.startsWith('::ffff:') ? (mappedIpv4(compressed.slice(7)) ?? compressed) : compressed
}

export function isIpv6(address: string): boolean {
  return address.includes(':')
}

/** True for a literal address, brackets allowed. */
export function isAddress(host: string): boolean {
  if (host.startsWith('[')) return host.endsWith(']') && isIPv6(host.slice(1, -1))
  return isIPv4(host) || isIPv6(host)
}

/** The last 32 bits of a mapped address in hexadecimal: `c000:201`. */
function mappedIpv4(tail: string): string | null {
  const match = /^([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(tail)
  if (match === null) return null
  const high = Number.parseInt(match[1] ?? '', 16)
  const low = Number.parseInt(match[2] ?? '', 16)
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`
}

/** RFC 5952 §4 by way of the URL parser, which writes addresses so. */
function compress(address: string): string {
  return new URL(`http://[${address}]/`).hostname.slice(1, -1)
}
