import { PackedHeap } from './packed-heap.ts'
import type { Region } from './region.ts'

/**
 * Records by key, laid out in a region: nothing of it is V8's to collect, and all of it is there for every worker that
 * opens the region. Keys are texts of one octet a character, values are octets that the caller writes in place.
 * Hot: a lookup is one chain of an index and no allocation.
 *
 * The index is linear hashing: whenever there are as many records as buckets, one bucket is split. No insert ever
 * pays for the growth of the whole (a table that doubles stalls 60 ms at a million records).
 *
 * Each record may have a second at which it is due. It lies in a ring of slots, one a second; a deadline that moves to
 * later leaves it where it is until that slot comes up, so that a refresh touches no other record.
 *
 * A record, by words of four octets: next in its bucket, hash, second that it is filed under, the one before it and the
 * one after it in that slot, version, lengths of key and value; then key and value.
 *
 * All methods but enter() are for between enter() and leave().
 */
const word = { next: 0, hash: 1, filed: 2, before: 3, after: 4, version: 5, lengths: 6 } as const
const headerBytes = 28
const keyBits = 10
const keyMask = (1 << keyBits) - 1

/** What is longer cannot be filed. */
export const packedKeyOctetsMax = keyMask
export const packedValueOctetsMax = 2 ** 22 - 1

const firstBucketsBits = 10
const segmentsMax = 22
const slots = 4096
/** Filed under: no deadline; or due already, and waiting for takeDue(). */
const never = 0x7fffffff
const overdue = 0

/** Words of the table's own area, which the heap gives out first. */
const own = {
  count: 0,
  version: 1,
  /** Buckets are 2 ** bits and `split` more. */
  bits: 2,
  split: 3,
  /** Slots up to this second have been emptied. */
  swept: 4,
  /** For the caller: packed-bindings.ts counts bindings in one. */
  counters: 5,
  overdue: 9,
  segments: 10,
  slots: 10 + segmentsMax,
} as const
const ownWords = own.slots + slots

export class PackedTable {
  readonly heap: PackedHeap
  readonly #area: number

  /** `second`: now, if the region is new. */
  constructor(region: Region, second: number) {
    this.heap = new PackedHeap(region)
    this.enter()
    try {
      const { root } = this.heap
      this.#area = root >> 2
      if (root === 0) {
        const area = this.heap.allocate(ownWords * 4)
        if (area === 0) throw new Error('a region that holds not even the head of a table')
        this.heap.root = area
        this.#area = area >> 2
        this.#set(own.bits, firstBucketsBits)
        this.#set(own.swept, second)
        this.#openSegment(0)
      }
    } finally {
      this.leave()
    }
  }

  enter(): void {
    this.heap.enter()
  }

  leave(): void {
    this.heap.leave()
  }

  get count(): number {
    return this.#get(own.count)
  }

  counter(index: number): number {
    return this.#get(own.counters + index)
  }

  setCounter(index: number, value: number): void {
    this.#set(own.counters + index, value)
  }

  /** The record's place; 0 if there is none. */
  find(hash: number, key: string): number {
    const { words } = this.heap
    const wanted = hash | 0
    let at = words[this.#bucket(hash)] ?? 0
    while (at !== 0) {
      if (words[(at >> 2) + word.hash] === wanted && this.#hasKey(at, key)) return at
      at = words[at >> 2] ?? 0
    }
    return 0
  }

  /** The first record with this hash, or the next one after `at`; 0 if there is none. */
  withHash(hash: number, at = 0): number {
    const { words } = this.heap
    let next = at === 0 ? (words[this.#bucket(hash)] ?? 0) : (words[at >> 2] ?? 0)
    while (next !== 0 && words[(next >> 2) + word.hash] !== (hash | 0)) next = words[next >> 2] ?? 0
    return next
  }

  /**
   * Makes the record at `at` (0: a new one) ready for a value of so many octets, which the caller then writes at
   * valueAt(). `due` in seconds; Infinity for never. Gives its place, which may be another one; 0 if there is no room,
   * and then nothing has changed.
   */
  write(at: number, hash: number, key: string, valueOctets: number, due: number): number {
    const bytes = headerBytes + key.length + valueOctets
    const lengths = key.length | (valueOctets << keyBits)
    const place = at === 0 ? this.#insert(hash, key, bytes) : this.#resize(at, bytes)
    if (place === 0) return 0
    const { words } = this.heap
    const record = place >> 2
    words[record + word.lengths] = lengths
    words[record + word.version] = this.#nextVersion()
    this.#file(place, due, at === 0)
    return place
  }

  /** The record's value was written over in place. */
  touch(at: number, due: number): void {
    this.heap.words[(at >> 2) + word.version] = this.#nextVersion()
    this.#file(at, due, false)
  }

  remove(at: number): void {
    const { words } = this.heap
    this.#unfile(at)
    words[this.#linkTo(at)] = words[at >> 2] ?? 0
    this.heap.free(at, this.#bytesOf(at))
    this.#set(own.count, this.count - 1)
  }

  /** Changes with every write, and is no other record's. */
  versionOf(at: number): number {
    return this.heap.words[(at >> 2) + word.version] ?? 0
  }

  hashOf(at: number): number {
    return (this.heap.words[(at >> 2) + word.hash] ?? 0) >>> 0
  }

  keyOf(at: number): string {
    const start = at + headerBytes
    return this.heap.bytes.latin1Slice(start, start + this.#keyOctets(at))
  }

  valueAt(at: number): number {
    return at + headerBytes + this.#keyOctets(at)
  }

  valueEnd(at: number): number {
    return this.valueAt(at) + ((this.heap.words[(at >> 2) + word.lengths] ?? 0) >>> keyBits)
  }

  /**
   * One record whose second has come, taken out of its slot; 0 if there is none. It is to be removed, or filed again
   * with refile().
   */
  takeDue(second: number): number {
    for (let swept = this.#get(own.swept); this.#get(own.overdue) === 0; ) {
      if (swept >= second) return 0
      // After a pause longer than the ring each slot is looked at once, not once a second.
      swept = Math.max(swept + 1, second - slots + 1)
      this.#set(own.swept, swept)
      this.#sweep(swept, second)
    }
    const at = this.#get(own.overdue)
    this.#unfile(at)
    return at
  }

  refile(at: number, due: number): void {
    this.#file(at, due, false)
  }

  /** Calls with every record of the index's part `part`, and says which comes next; -1 after the last. */
  visit(part: IndexPart, visitor: (at: number) => void): number {
    const { words } = this.heap
    const isSplit = part.index < part.split || part.index >= 1 << part.bits
    const step = 1 << (isSplit ? part.bits + 1 : part.bits)
    const buckets = (1 << this.#get(own.bits)) + this.#get(own.split)
    for (let bucket = part.index; bucket < buckets; bucket += step) {
      for (let at = words[this.#bucketWord(bucket)] ?? 0; at !== 0; at = words[at >> 2] ?? 0) visitor(at)
    }
    return part.index + 1 < (1 << part.bits) + part.split ? part.index + 1 : -1
  }

  /**
   * Where to begin to look at all of them: the index as it is now. Who goes through its parts sees each record once
   * that is there all the while, however the index grows meanwhile.
   */
  firstPart(): IndexPart {
    return { bits: this.#get(own.bits), split: this.#get(own.split), index: 0 }
  }

  #get(at: number): number {
    return this.heap.words[this.#area + at] ?? 0
  }

  #set(at: number, value: number): void {
    this.heap.words[this.#area + at] = value
  }

  #keyOctets(at: number): number {
    return (this.heap.words[(at >> 2) + word.lengths] ?? 0) & keyMask
  }

  #bytesOf(at: number): number {
    const lengths = this.heap.words[(at >> 2) + word.lengths] ?? 0
    return headerBytes + (lengths & keyMask) + (lengths >>> keyBits)
  }

  #hasKey(at: number, key: string): boolean {
    if (this.#keyOctets(at) !== key.length) return false
    const { bytes } = this.heap
    const start = at + headerBytes
    for (let i = 0; i < key.length; i++) if (bytes[start + i] !== key.charCodeAt(i)) return false
    return true
  }

  #nextVersion(): number {
    const version = (this.#get(own.version) + 1) | 0 || 1
    this.#set(own.version, version)
    return version
  }

  // The index.

  #bucket(hash: number): number {
    const bits = this.#get(own.bits)
    const low = hash & ((1 << bits) - 1)
    return this.#bucketWord(low < this.#get(own.split) ? hash & ((2 << bits) - 1) : low)
  }

  /** Segments double: the first has 1024 buckets, and each other one as many as all before it. */
  #bucketWord(bucket: number): number {
    const segment = 32 - Math.clz32(bucket >> firstBucketsBits)
    const first = segment === 0 ? 0 : 1 << (firstBucketsBits + segment - 1)
    return (this.#get(own.segments + segment) >> 2) + bucket - first
  }

  #openSegment(segment: number): boolean {
    const buckets = 1 << (segment === 0 ? firstBucketsBits : firstBucketsBits + segment - 1)
    const place = this.heap.extend(buckets * 4)
    if (place !== 0) this.#set(own.segments + segment, place)
    return place !== 0
  }

  #insert(hash: number, key: string, bytes: number): number {
    if (key.length > packedKeyOctetsMax || bytes > packedValueOctetsMax) return 0
    const place = this.heap.allocate(bytes)
    if (place === 0) return 0
    const { words } = this.heap
    const bucket = this.#bucket(hash)
    words[place >> 2] = words[bucket] ?? 0
    words[(place >> 2) + word.hash] = hash
    words[bucket] = place
    this.heap.bytes.latin1Write(key, place + headerBytes, key.length)
    this.#set(own.count, this.count + 1)
    if (this.count > (1 << this.#get(own.bits)) + this.#get(own.split)) this.#splitBucket()
    return place
  }

  #splitBucket(): void {
    const bits = this.#get(own.bits)
    const low = this.#get(own.split)
    const high = low + (1 << bits)
    const segment = 32 - Math.clz32(high >> firstBucketsBits)
    if (segment >= segmentsMax) return
    if (this.#get(own.segments + segment) === 0 && !this.#openSegment(segment)) return
    const { words } = this.heap
    let at = words[this.#bucketWord(low)] ?? 0
    let lows = 0
    let highs = 0
    while (at !== 0) {
      const next = words[at >> 2] ?? 0
      const isHigh = ((words[(at >> 2) + word.hash] ?? 0) & (1 << bits)) !== 0
      words[at >> 2] = isHigh ? highs : lows
      if (isHigh) highs = at
      else lows = at
      at = next
    }
    words[this.#bucketWord(low)] = lows
    words[this.#bucketWord(high)] = highs
    const isRoundDone = low + 1 === 1 << bits
    this.#set(own.bits, isRoundDone ? bits + 1 : bits)
    this.#set(own.split, isRoundDone ? 0 : low + 1)
  }

  /** The word that refers to the record: of its bucket, or of the record before it there. */
  #linkTo(at: number): number {
    const { words } = this.heap
    let link = this.#bucket(words[(at >> 2) + word.hash] ?? 0)
    while (words[link] !== at) link = (words[link] ?? 0) >> 2
    return link
  }

  #resize(at: number, bytes: number): number {
    const before = this.#bytesOf(at)
    if (this.heap.isSameSize(before, bytes)) return at
    if (bytes > packedValueOctetsMax) return 0
    const place = this.heap.allocate(bytes)
    if (place === 0) return 0
    const { words } = this.heap
    words[this.#linkTo(at)] = place
    this.heap.bytes.copyWithin(place, at, at + headerBytes + this.#keyOctets(at))
    const record = place >> 2
    if (words[record + word.filed] !== never) {
      const before = words[record + word.before] ?? 0
      const after = words[record + word.after] ?? 0
      words[before === 0 ? this.#headOf(words[record + word.filed] ?? 0) : (before >> 2) + word.after] = place
      if (after !== 0) words[(after >> 2) + word.before] = place
    }
    this.heap.free(at, before)
    return place
  }

  // The ring of seconds.

  #headOf(filed: number): number {
    return this.#area + (filed === overdue ? own.overdue : own.slots + (filed & (slots - 1)))
  }

  #file(at: number, due: number, isNew: boolean): void {
    const { words } = this.heap
    const record = at >> 2
    // What is due already waits for the next takeDue(): its slot has been emptied.
    const second = due >= never ? never : due <= this.#get(own.swept) ? overdue : Math.ceil(due)
    if (!isNew) {
      const filed = words[record + word.filed] ?? never
      if (filed <= second && filed !== never) return
      this.#unfile(at)
    }
    words[record + word.filed] = second
    if (second !== never) this.#link(at, second)
  }

  #link(at: number, filed: number): void {
    const { words } = this.heap
    const head = this.#headOf(filed)
    const first = words[head] ?? 0
    words[(at >> 2) + word.filed] = filed
    words[(at >> 2) + word.before] = 0
    words[(at >> 2) + word.after] = first
    if (first !== 0) words[(first >> 2) + word.before] = at
    words[head] = at
  }

  #unfile(at: number): void {
    const { words } = this.heap
    const record = at >> 2
    const filed = words[record + word.filed] ?? never
    if (filed === never) return
    const before = words[record + word.before] ?? 0
    const after = words[record + word.after] ?? 0
    words[before === 0 ? this.#headOf(filed) : (before >> 2) + word.after] = after
    if (after !== 0) words[(after >> 2) + word.before] = before
    words[record + word.filed] = never
  }

  /** What is due goes to the list of the overdue; what is there for a later round of the ring stays. */
  #sweep(slot: number, second: number): void {
    const { words } = this.heap
    let at = words[this.#headOf(slot)] ?? 0
    while (at !== 0) {
      const next = words[(at >> 2) + word.after] ?? 0
      if ((words[(at >> 2) + word.filed] ?? never) <= second) {
        this.#unfile(at)
        this.#link(at, overdue)
      }
      at = next
    }
  }
}

/** A place in the index as it was when somebody began to go through it. */
export interface IndexPart {
  readonly bits: number
  readonly split: number
  readonly index: number
}
