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

/** Eight digits, so that texts have the order of numbers. */
export function hashText(hash: number): string {
  return hash.toString(16).padStart(8, '0')
}

/** -1: not a name that we gave. */
export function hashInRuid(ruid: string): number {
  const dash = ruid.length - 9
  if (dash < 0 || ruid.charCodeAt(dash) !== 0x2d) return -1
  const digits = ruid.slice(dash + 1)
  return /^[0-9a-f]{8}$/.test(digits) ? Number.parseInt(digits, 16) : -1
}
