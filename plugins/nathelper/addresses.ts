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

const notIpv4 = -1

/** The same as numbers, for IPv4: a host is compared with them for nearly every message. */
const privateRanges = privatePrefixes.flatMap(({ text }) => {
  const slash = text.indexOf('/')
  const network = readIpv4(text.slice(0, slash))
  return network === notIpv4 ? [] : [{ network, hostBits: 32 - Number(text.slice(slash + 1)) }]
})

/** False for a host name. Hot. */
export function isPrivateAddress(address: string): boolean {
  const first = address.charCodeAt(0)
  const couldBeAddress = (first >= 0x30 && first <= 0x39) || address.includes(':')
  if (!couldBeAddress) return false
  const ipv4 = readIpv4(address)
  if (ipv4 === notIpv4) return privatePrefixes.some((prefix) => prefix.contains(address))
  for (const { network, hostBits } of privateRanges) {
    if ((ipv4 ^ network) >>> hostBits === 0) return true
  }
  return false
}

/** As 32 bits without sign; -1 for what is not written as four decimal numbers, which may be an address all the same. */
function readIpv4(text: string): number {
  let address = 0
  let number = -1
  let dots = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === 0x2e) {
      if (number < 0 || ++dots > 3) return notIpv4
      address = address * 256 + number
      number = -1
    } else if (code >= 0x30 && code <= 0x39 && number !== 0) {
      number = (number < 0 ? 0 : number * 10) + code - 0x30
      if (number > 255) return notIpv4
    } else return notIpv4
  }
  return number < 0 || dots !== 3 ? notIpv4 : address * 256 + number
}
