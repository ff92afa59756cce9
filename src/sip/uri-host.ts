import { closeBracket, openBracket } from './bytes.ts'

/** Hosts as they stand in URIs: RFC 3261 §25.1 IPv6reference. */

/** Brackets around an IPv6 address, anything else as it is. */
export function hostForUri(address: string): string {
  return address.includes(':') && address.charCodeAt(0) !== openBracket ? `[${address}]` : address
}

/** The other way round. */
export function hostWithoutBrackets(host: string): string {
  const isBracketed = host.charCodeAt(0) === openBracket && host.charCodeAt(host.length - 1) === closeBracket
  return isBracketed ? host.slice(1, -1) : host
}
