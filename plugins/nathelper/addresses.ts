import { parsePrefix } from '../../src/plugin/index.ts'

/**
 * Addresses that mean nothing outside of their own network: RFC 1918, RFC 6598 (carrier NAT), RFC 3927, RFC 5735
 * (192.0.0.0/24), and RFC 4193, as Kamailio's nathelper counts them.
 */
const privatePrefixes = [
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '100.64.0.0/10',
  '169.254.0.0/16',
  '192.0.0.0/24',
  'fc00::/7',
  'fe80::/10',
].map((text) => {
  const prefix = parsePrefix(text)
  if (prefix === null) throw new Error(`not a prefix: ${text}`)
  return prefix
})

/** False for a host name. */
export function isPrivateAddress(address: string): boolean {
  const first = address.charCodeAt(0)
  const couldBeAddress = (first >= 0x30 && first <= 0x39) || address.includes(':')
  return couldBeAddress && privatePrefixes.some((prefix) => prefix.contains(address))
}
