import { SipHash } from '../runtime/sip-hash.ts'
import { PackedTable, packedKeyOctetsMax } from './packed-table.ts'
import type { Region } from './region.ts'

/**
 * Texts and numbers by key in a region, each with a second at which it expires: what the workers of one router share.
 * Every method is one section under the region's lock, so that an update is never lost between two workers.
 *
 * A value: what it is (1 octet), when it expires (8), then the number, or the text in Latin-1 or UTF-16.
 */
export interface Stored {
  readonly value: string | number
  /** In the caller's seconds; 0: never. */
  readonly expiresAt: number
}

const kind = { number: 1, latin1: 2, utf16: 3 } as const
const headBytes = 9

export class PackedValues {
  readonly #table: PackedTable
  readonly #hash: SipHash
  readonly #countMax: number

  /** `key`: 16 octets, the same for all who open the region; keys may come from the wire. */
  constructor(region: Region, key: Uint8Array, countMax: number, second: number) {
    this.#table = new PackedTable(region, second)
    this.#hash = new SipHash(key)
    this.#countMax = countMax
  }

  get count(): number {
    this.#table.enter()
    const { count } = this.#table
    this.#table.leave()
    return count
  }

  /** Undefined if there is none, or if it has expired by `second`. */
  get(key: string, second: number): Stored | undefined {
    const name = encodedKey(key)
    const hash = this.#hashOf(name)
    this.#table.enter()
    try {
      return this.#live(this.#table.find(hash, name), second)
    } finally {
      this.#table.leave()
    }
  }

  /**
   * What `change` makes of what is there: null removes it. False, and nothing is changed, if there is no room, or the
   * key is too long. `change` must be short, and must not use this table.
   */
  update(key: string, second: number, change: (known: Stored | undefined) => Stored | null): boolean {
    const name = encodedKey(key)
    if (name.length > packedKeyOctetsMax) return false
    const hash = this.#hashOf(name)
    const table = this.#table
    table.enter()
    try {
      const at = table.find(hash, name)
      const next = change(this.#live(at, second))
      if (next === null) {
        if (at !== 0) table.remove(at)
        return true
      }
      return (at !== 0 || table.count < this.#countMax) && this.#write(at, hash, name, next)
    } finally {
      table.leave()
    }
  }

  /** One that has expired by `second`, taken out: whoever gets it is the only one. Null if there is none. */
  takeExpired(second: number): { key: string; value: string | number } | null {
    const table = this.#table
    table.enter()
    try {
      for (let at = table.takeDue(second); at !== 0; at = table.takeDue(second)) {
        const stored = this.#read(at)
        if (stored.expiresAt === 0 || stored.expiresAt > second) {
          table.refile(at, dueOf(stored))
          continue
        }
        const key = decodedKey(table.keyOf(at))
        table.remove(at)
        return { key, value: stored.value }
      }
      return null
    } finally {
      table.leave()
    }
  }

  /** Those that have not expired, in no order; nothing is locked between two steps. */
  *entries(second: number): IterableIterator<[key: string, stored: Stored]> {
    const table = this.#table
    table.enter()
    let part = table.firstPart()
    table.leave()
    while (part.index >= 0) {
      const found: [string, Stored][] = []
      table.enter()
      const index = table.visit(part, (at) => {
        const stored = this.#live(at, second)
        if (stored !== undefined) found.push([decodedKey(table.keyOf(at)), stored])
      })
      table.leave()
      yield* found
      part = { ...part, index }
    }
  }

  clear(): void {
    const table = this.#table
    table.enter()
    try {
      for (let part = table.firstPart(); part.index >= 0; ) {
        const places: number[] = []
        const index = table.visit(part, (at) => places.push(at))
        for (const at of places) table.remove(at)
        part = { ...part, index }
      }
    } finally {
      table.leave()
    }
  }

  #live(at: number, second: number): Stored | undefined {
    if (at === 0) return undefined
    const stored = this.#read(at)
    return stored.expiresAt === 0 || stored.expiresAt > second ? stored : undefined
  }

  #read(at: number): Stored {
    const { bytes } = this.#table.heap
    const start = this.#table.valueAt(at)
    const end = this.#table.valueEnd(at)
    const expiresAt = bytes.readDoubleLE(start + 1)
    const from = start + headBytes
    switch (bytes[start]) {
      case kind.number:
        return { value: bytes.readDoubleLE(from), expiresAt }
      case kind.latin1:
        return { value: bytes.latin1Slice(from, end), expiresAt }
      default:
        return { value: bytes.toString('utf16le', from, end), expiresAt }
    }
  }

  #write(at: number, hash: number, name: string, stored: Stored): boolean {
    const { value, expiresAt } = stored
    const text = typeof value === 'string' ? value : ''
    const isLatin1 = isLatin1Text(text)
    const octets = typeof value === 'number' ? 8 : isLatin1 ? text.length : text.length * 2
    const place = this.#table.write(at, hash, name, headBytes + octets, dueOf(stored))
    if (place === 0) return false
    const { bytes } = this.#table.heap
    const start = this.#table.valueAt(place)
    bytes[start] = typeof value === 'number' ? kind.number : isLatin1 ? kind.latin1 : kind.utf16
    bytes.writeDoubleLE(expiresAt, start + 1)
    if (typeof value === 'number') bytes.writeDoubleLE(value, start + headBytes)
    else bytes.write(text, start + headBytes, isLatin1 ? 'latin1' : 'utf16le')
    return true
  }

  #hashOf(name: string): number {
    const hash = this.#hash
    hash.start()
    hash.text(name)
    hash.finish()
    return hash.low
  }
}

function dueOf({ expiresAt }: Stored): number {
  return expiresAt === 0 ? Number.POSITIVE_INFINITY : expiresAt
}

/** Keys are one octet a character: others are told apart by a first character that no key from the wire begins with. */
const wideMark = '\u0000'

function encodedKey(key: string): string {
  return isLatin1Text(key) && !key.startsWith(wideMark)
    ? key
    : wideMark + Buffer.from(key, 'utf8').toString('latin1')
}

function decodedKey(name: string): string {
  return name.startsWith(wideMark) ? Buffer.from(name.slice(1), 'latin1').toString('utf8') : name
}

function isLatin1Text(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0xff) return false
  return true
}
