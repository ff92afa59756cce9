/**
 * Names of bindings: `uloc-<maker>-<number>-<hash>`. The hash is that of the address-of-record, so that a binding is
 * found by its name without an index of names: the index of addresses-of-record says where to look.
 */

/** 32 bits, unsigned. The seed keeps who chooses names from choosing their places in the index too. */
export function hashOfAor(aor: string, seed: number): number {
  let hash = seed ^ aor.length
  for (let i = 0; i < aor.length; i++) {
    hash = Math.imul(hash ^ aor.charCodeAt(i), 0x5bd1e995)
    hash ^= hash >>> 15
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

export function ruidOf(maker: string, number: number, hash: number): string {
  return `${maker}${number.toString(16)}-${hashText(hash)}`
}

const pairs = Array.from({ length: 256 }, (_, octet) => octet.toString(16).padStart(2, '0'))

/** Eight digits, so that texts have the order of numbers. From a table: toString() and padStart() take 150 ns. */
export function hashText(hash: number): string {
  return (
    (pairs[hash >>> 24] ?? '') +
    (pairs[(hash >>> 16) & 0xff] ?? '') +
    (pairs[(hash >>> 8) & 0xff] ?? '') +
    (pairs[hash & 0xff] ?? '')
  )
}

/** -1: not a name that we gave. */
export function hashInRuid(ruid: string): number {
  const dash = ruid.length - 9
  if (dash < 0 || ruid.charCodeAt(dash) !== 0x2d) return -1
  let hash = 0
  for (let i = dash + 1; i < ruid.length; i++) {
    const code = ruid.charCodeAt(i)
    const isDigit = code >= 0x30 && code <= 0x39
    if (!isDigit && (code < 0x61 || code > 0x66)) return -1
    hash = (hash << 4) | (isDigit ? code - 0x30 : code - 0x57)
  }
  return hash >>> 0
}
