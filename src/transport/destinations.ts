import { limits } from '../limits.ts'
import type { NativeAddon } from './native-addon.ts'

/**
 * Destinations as text into the words of a record. Hot: once per datagram out.
 *
 * IPv4 is read here: that takes no longer than to look it up. IPv6 is read by the addon, zones included, and remembered.
 */
export class Destinations {
  readonly #addon: NativeAddon
  readonly #known = new Map<string, Int32Array>()

  constructor(addon: NativeAddon) {
    this.#addon = addon
  }

  /** False if the address is no literal one of that family. */
  write(address: string, family: 4 | 6, words: Int32Array, at: number): boolean {
    if (family === 6) return this.#writeIpv6(address, words, at)
    const bits = ipv4Bits(address)
    words[at] = bits
    return bits !== 0 || address === '0.0.0.0'
  }

  #writeIpv6(address: string, words: Int32Array, at: number): boolean {
    let known = this.#known.get(address)
    if (known === undefined) {
      known = new Int32Array(5)
      if (!this.#addon.parse(address, true, known)) return false
      // Simpler than to find out which ones are used: to read 4,096 addresses again takes two milliseconds.
      if (this.#known.size >= limits.addressesKnownMax) this.#known.clear()
      this.#known.set(address, known)
    }
    words.set(known, at)
    return true
  }
}

/** The 32 bits of an address in dotted decimal, 0 if it is none: four numbers up to 255 without leading zeros. */
export function ipv4Bits(text: string): number {
  const { length } = text
  let bits = 0
  let octet = -1
  let dots = 0
  for (let i = 0; i < length; i++) {
    const digit = text.charCodeAt(i) - 48
    if (digit === dot) {
      if (octet < 0 || ++dots > 3) return 0
      bits = (bits << 8) | octet
      octet = -1
    } else if (digit >= 0 && digit <= 9 && octet !== 0) {
      octet = octet < 0 ? digit : octet * 10 + digit
      if (octet > 255) return 0
    } else {
      return 0
    }
  }
  return dots === 3 && octet >= 0 ? (bits << 8) | octet : 0
}

/** '.' as a digit. */
const dot = -2
