import type { Region } from './region.ts'

/**
 * Pieces of a region, by size classes: what is freed is given out again to what is about as long. Classes are 16 octets
 * apart up to a KiB and an eighth of a power of two from there on, so that at most an eighth is lost.
 *
 * A region begins with the heap's own words; 0 is no piece's place. Everything here is for between enter() and leave().
 */
const head = { bytes: 0, end: 1, freeBytes: 2, root: 3, free: 4 } as const

const smallStep = 16
const smallMax = 1024
const smallClasses = smallMax / smallStep
/** The head's words, and the first free piece of each class: 232 of them reach to 2 GiB. */
const headBytes = 1024
/** At least so much is asked for when a region grows. */
const growthBytesMin = 262_144

/** What Buffer has and its types leave out: without the checks of toString() and write(), which take as long again. */
export interface Octets extends Buffer {
  latin1Slice(start: number, end: number): string
  latin1Write(text: string, offset: number, length: number): number
}

export class PackedHeap {
  /** Made anew when the region grows: views that follow a shared buffer by themselves cost 20 times as much a word. */
  words: Int32Array = new Int32Array(0)
  bytes: Octets = Buffer.alloc(0) as Octets
  readonly #region: Region

  constructor(region: Region) {
    this.#region = region
    region.lock()
    try {
      if (region.buffer.byteLength < headBytes && !region.grow(headBytes)) {
        throw new Error('a region of no size')
      }
      this.#look()
      if (this.words[head.bytes] === 0) {
        this.words[head.bytes] = headBytes
        this.words[head.end] = headBytes
      }
    } finally {
      region.unlock()
    }
  }

  enter(): void {
    this.#region.lock()
    // Another worker may have made it grow.
    if (this.words.length << 2 !== this.words[head.bytes]) this.#look()
  }

  leave(): void {
    this.#region.unlock()
  }

  /** A place that whoever opens the region finds again. */
  get root(): number {
    return this.words[head.root] ?? 0
  }

  set root(at: number) {
    this.words[head.root] = at
  }

  /** Octets given out, or free to be given out again. */
  get usedBytes(): number {
    return this.words[head.end] ?? 0
  }

  get freeBytes(): number {
    return this.words[head.freeBytes] ?? 0
  }

  /** A piece of so many octets, with whatever was in it before; 0 if there is no room. */
  allocate(bytes: number): number {
    const wanted = classOf(bytes)
    const { words } = this
    const first = words[head.free + wanted] ?? 0
    if (first === 0) return this.extend(sizeOf(wanted))
    words[head.free + wanted] = words[first >> 2] ?? 0
    words[head.freeBytes] = this.freeBytes - sizeOf(wanted)
    return first
  }

  /** A new piece, all zeros, that is never freed; 0 if there is no room. */
  extend(bytes: number): number {
    const at = this.usedBytes
    const end = at + ((bytes + smallStep - 1) & -smallStep)
    if (end > this.words.length << 2 && !this.#grow(end)) return 0
    this.words[head.end] = end
    return at
  }

  free(at: number, bytes: number): void {
    const given = classOf(bytes)
    this.words[at >> 2] = this.words[head.free + given] ?? 0
    this.words[head.free + given] = at
    this.words[head.freeBytes] = this.freeBytes + sizeOf(given)
  }

  /** Would the same piece do for both? */
  isSameSize(a: number, b: number): boolean {
    return classOf(a) === classOf(b)
  }

  #grow(end: number): boolean {
    const generous = end + Math.max(growthBytesMin, (end >> 3) & -4096)
    const rounded = (end + 4095) & -4096
    if (this.#region.grow(generous & -4096) || this.#region.grow(rounded)) {
      this.#look()
      this.words[head.bytes] = this.words.length << 2
      return true
    }
    return false
  }

  #look(): void {
    const { buffer } = this.#region
    this.words = new Int32Array(buffer, 0, buffer.byteLength >> 2)
    this.bytes = Buffer.from(buffer, 0, buffer.byteLength) as Octets
  }
}

function classOf(bytes: number): number {
  if (bytes <= smallMax) return ((bytes + smallStep - 1) >> 4) - 1
  // The power of two below, and in which eighth above it.
  const power = 31 - Math.clz32(bytes - 1)
  return smallClasses + (power - 10) * 8 + ((bytes - 1) >> (power - 3)) - 8
}

function sizeOf(given: number): number {
  if (given < smallClasses) return (given + 1) * smallStep
  const power = 10 + ((given - smallClasses) >> 3)
  return (9 + ((given - smallClasses) & 7)) << (power - 3)
}
