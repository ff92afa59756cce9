import { limits } from '../limits.ts'
import { PackedStrings } from '../store/packed-strings.ts'
import { type IndexPart, PackedTable } from '../store/packed-table.ts'
import type { Region } from '../store/region.ts'
import type { Binding } from './binding.ts'
import { BindingReader, BindingWriter } from './binding-codec.ts'
import type { BindingTable, Changed, Expired, Page, PageMark, RefreshOutcome } from './binding-table.ts'
import { RecordRefresh, type Refreshed } from './record-refresh.ts'
import { hashInRuid, hashOfAor } from './ruid.ts'

/**
 * Bindings in memory: one packed record for each address-of-record (130 octets with one binding in it, where objects
 * in Maps took 480), and in front of them what was decoded last, in as many places as there may be decoded ones. A
 * decoded list is as good as its record's version is: another worker's write is seen with the next lookup.
 *
 * Hot: of() and change() are what lookup() and save() cost. docs/decisions/0016-location-memory.md has the figures.
 */
export interface PackedBindingsOptions {
  region: Region
  /** Seed of the hashes, the same for all who open the region. */
  seed: number
  /** Monotonic milliseconds. */
  now: number
  /** What makes of this worker's monotonic clock the one of the region. */
  shift: number
  bytesMax: number
}

const counter = { bindings: 0, strings: 1 } as const
const noBindings: readonly Binding[] = []
/** Records of one page: a millisecond's work. */
const pageRecordsMax = 500

export class PackedBindings implements BindingTable {
  readonly isDurable = false
  readonly #table: PackedTable
  readonly #reader: BindingReader
  readonly #writer: BindingWriter
  readonly #record: RecordRefresh
  readonly #seed: number
  readonly #shift: number
  readonly #bytesMax: number
  readonly #decoded: (readonly Binding[])[] = new Array(limits.bindingsDecodedMax).fill(noBindings)
  readonly #versions = new Int32Array(limits.bindingsDecodedMax)

  constructor({ region, seed, now, shift, bytesMax }: PackedBindingsOptions) {
    this.#table = new PackedTable(region, Math.floor((now + shift) / 1000))
    this.#seed = seed
    this.#shift = shift
    this.#bytesMax = bytesMax
    const strings = this.#entered(() => {
      const found = new PackedStrings(this.#table.heap, this.#table.counter(counter.strings))
      this.#table.setCounter(counter.strings, found.place)
      return found
    })
    this.#reader = new BindingReader(strings)
    this.#writer = new BindingWriter(strings)
    this.#record = new RecordRefresh(strings)
  }

  get bindingCount(): number {
    this.#table.enter()
    const count = this.#table.counter(counter.bindings)
    this.#table.leave()
    return count
  }

  get aorCount(): number {
    return this.#entered(() => this.#table.count)
  }

  get bytes(): number {
    this.#table.enter()
    const { usedBytes } = this.#table.heap
    this.#table.leave()
    return usedBytes
  }

  hasRoomFor(): boolean {
    return this.bytes + limits.locationSpareBytes <= this.#bytesMax
  }

  of(aor: string): readonly Binding[] {
    const hash = hashOfAor(aor, this.#seed)
    const table = this.#table
    table.enter()
    try {
      const at = table.find(hash, aor)
      return at === 0 ? noBindings : this.#bindingsAt(at, hash)
    } finally {
      table.leave()
    }
  }

  byRuid(ruid: string): Binding | undefined {
    const hash = hashInRuid(ruid)
    if (hash < 0) return undefined
    return this.#entered(() => {
      for (let at = this.#table.withHash(hash); at !== 0; at = this.#table.withHash(hash, at)) {
        const found = this.#bindingsAt(at, hash).find((binding) => binding.ruid === ruid)
        if (found !== undefined) return found
      }
      return undefined
    })
  }

  change(before: Binding | null, after: Binding | null): Changed {
    const subject = after ?? before
    if (subject === null) return 'done'
    const { aor, ruid } = subject
    const hash = hashOfAor(aor, this.#seed)
    const table = this.#table
    table.enter()
    try {
      const at = table.find(hash, aor)
      if (at !== 0 && after !== null && this.#rewrite(at, hash, after)) return 'done'
      const existing = at === 0 ? noBindings : this.#bindingsAt(at, hash)
      const bindings = replaced(existing, ruid, after)
      if (bindings === existing) return 'done'
      if (!this.#write(at, hash, aor, bindings)) return 'full'
      this.#count(bindings.length - existing.length)
      return 'done'
    } finally {
      table.leave()
    }
  }

  /** 0.6 us: what lies in the record is compared with what came, and neither a list nor a binding is made. */
  refresh(after: Refreshed, now: number): RefreshOutcome {
    const table = this.#table
    const record = this.#record
    const hash = hashOfAor(after.aor, this.#seed)
    table.enter()
    try {
      const at = table.find(hash, after.aor)
      if (at === 0) return 'absent'
      const { bytes } = table.heap
      if (!record.repeats(bytes, table.valueAt(at), after)) return 'other'
      if (!record.isOlderThan(after) || record.hasExpired(now, this.#shift)) return 'other'
      if (!record.write(bytes, after, this.#shift)) return 'other'
      table.touch(at, (after.expiresAt + this.#shift) / 1000)
      return 'done'
    } finally {
      table.leave()
    }
  }

  takeExpired(now: number, limit: number): Expired {
    const second = Math.floor((now + this.#shift) / 1000)
    return this.#entered(() => {
      const bindings: Binding[] = []
      for (let left = limit; left > 0; left--) {
        const at = this.#table.takeDue(second)
        if (at === 0) return { bindings, isMore: false }
        this.#takeFrom(at, now, bindings)
      }
      return { bindings, isMore: true }
    })
  }

  page(from: PageMark | null): Page {
    const bindings: Binding[] = []
    return this.#entered(() => {
      const first = (from as IndexPart | null) ?? this.#table.firstPart()
      let part = first
      for (let records = 0; records < pageRecordsMax; ) {
        const index = this.#table.visit(part, (at) => {
          records++
          const hash = this.#table.hashOf(at)
          // Not through the decoded ones: what is looked at once would drive out what is looked up all the time.
          bindings.push(...this.#decode(at, hash))
        })
        if (index < 0) return { bindings, next: null }
        part = { ...part, index }
        records++
      }
      return { bindings, next: part }
    })
  }

  flushed(): Promise<void> {
    return Promise.resolve()
  }

  #entered<T>(work: () => T): T {
    this.#table.enter()
    try {
      return work()
    } finally {
      this.#table.leave()
    }
  }

  #count(more: number): void {
    if (more === 0) return
    this.#table.setCounter(counter.bindings, this.#table.counter(counter.bindings) + more)
  }

  #bindingsAt(at: number, hash: number): readonly Binding[] {
    const version = this.#table.versionOf(at)
    const place = hash & (limits.bindingsDecodedMax - 1)
    const decoded = this.#decoded[place]
    if (this.#versions[place] === version && decoded !== undefined && decoded !== noBindings) return decoded
    const bindings = this.#decode(at, hash)
    this.#remember(hash, version, bindings)
    return bindings
  }

  #decode(at: number, hash: number): Binding[] {
    const table = this.#table
    // The record's own text: the one that was asked for may be a piece of a datagram.
    const aor = table.keyOf(at)
    const { bytes } = table.heap
    return this.#reader.read(bytes, table.valueAt(at), table.valueEnd(at), aor, hash, this.#shift)
  }

  #remember(hash: number, version: number, bindings: readonly Binding[]): void {
    const place = hash & (limits.bindingsDecodedMax - 1)
    this.#versions[place] = version
    this.#decoded[place] = bindings
  }

  /** The same device again, in the place where it is. False if it is another one, or takes more room. */
  #rewrite(at: number, hash: number, after: Binding): boolean {
    const table = this.#table
    const record = this.#record
    const { bytes } = table.heap
    if (!record.repeats(bytes, table.valueAt(at), after) || !record.isNamed(bytes, after.ruid, hash))
      return false
    if (!record.write(bytes, after, this.#shift)) return false
    table.touch(at, (after.expiresAt + this.#shift) / 1000)
    this.#remember(hash, table.versionOf(at), [after])
    return true
  }

  /** False: there is no room, and all is as it was. */
  #write(at: number, hash: number, aor: string, bindings: readonly Binding[]): boolean {
    const table = this.#table
    if (bindings.length === 0) {
      if (at !== 0) table.remove(at)
      return true
    }
    const octets = this.#writer.begin(bindings, hash, this.#shift)
    const place = table.write(at, hash, aor, octets, this.#dueOf(bindings))
    if (place === 0) return false
    this.#writer.finish(table.heap.bytes, table.valueAt(place))
    // Of what is new, nobody has asked yet: to keep it decoded makes it outlive two collections, 1.7 us a registration.
    if (at !== 0) this.#remember(hash, table.versionOf(place), bindings)
    return true
  }

  /** Seconds of the region's clock. */
  #dueOf(bindings: readonly Binding[]): number {
    let earliest = Number.POSITIVE_INFINITY
    for (const { expiresAt } of bindings) if (expiresAt < earliest) earliest = expiresAt
    return (earliest + this.#shift) / 1000
  }

  #takeFrom(at: number, now: number, into: Binding[]): void {
    const table = this.#table
    const hash = table.hashOf(at)
    const aor = table.keyOf(at)
    const bindings = this.#bindingsAt(at, hash)
    const alive = bindings.filter(({ expiresAt }) => expiresAt > now)
    if (alive.length === bindings.length) {
      table.refile(at, this.#dueOf(bindings))
      return
    }
    for (const binding of bindings) if (binding.expiresAt <= now) into.push(binding)
    this.#write(at, hash, aor, alive)
    this.#count(alive.length - bindings.length)
  }
}

/** The list with this binding replaced, added or taken out. */
export function replaced(
  bindings: readonly Binding[],
  ruid: string,
  after: Binding | null,
): readonly Binding[] {
  const index = bindings.findIndex((binding) => binding.ruid === ruid)
  if (after === null) return index < 0 ? bindings : bindings.toSpliced(index, 1)
  return index < 0 ? [...bindings, after] : bindings.with(index, after)
}
