import { limits } from '../limits.ts'
import type { Octets } from '../store/packed-heap.ts'
import type { Table } from '../store/table.ts'
import type { Binding } from './binding.ts'
import { BindingReader, BindingWriter, noSharedTexts } from './binding-codec.ts'
import {
  type BindingTable,
  type Changed,
  type Expired,
  type Page,
  type PageMark,
  type RefreshOutcome,
  Undone,
} from './binding-table.ts'
import { replaced } from './packed-bindings.ts'
import { hashInRuid, hashOfAor, hashText } from './ruid.ts'
import type { SharedGenerations } from './shared-generations.ts'
import type { StoreTime } from './store-time.ts'

/**
 * Bindings in the store: nothing is read at the start, and a lookup reads what it needs (5 microseconds from mapped
 * pages) unless it has been decoded lately. What is written and not committed yet is kept beside.
 *
 *   bindings  <hash of the aor><ruid without it> -> second it is due under, position, aor, binding
 *   due       <second><key of the binding>       -> 1
 *
 * All bindings of an address-of-record are neighbours. A deadline that moves to later leaves its entry in `due` where
 * it is until its second comes, so that a refresh is one write. Entries are written before what they refer to, and
 * removed after it: a crash leaves at most one too many, which its second removes.
 */
export interface StoredBindingsOptions {
  bindings: Table<Uint8Array>
  due: Table<number>
  /** How many addresses-of-record there were when the process before this one ended. */
  aorCount: number
  seed: number
  time: StoreTime
  generations: SharedGenerations
}

/** What is known of an address-of-record. */
interface Known {
  readonly aor: string
  readonly bindings: readonly Binding[]
  /** Of each of them. */
  readonly places: readonly Place[]
}

interface Place {
  /** The second that it is due under; 0 for never. */
  readonly filed: number
  /** In the order in which they came. */
  readonly position: number
}

interface Unwritten {
  known: Known
  /** Writes that have not come back. */
  writes: number
}

interface Row {
  readonly binding: Binding
  readonly place: Place
}

const nothing: Known = { aor: '', bindings: [], places: [] }
/** In front of the aor: two numbers of four octets, and its length. */
const rowHeaderBytes = 10
const pageRecordsMax = 200

export class StoredBindings implements BindingTable {
  readonly isDurable = true
  readonly bytes = 0
  readonly #records: Table<Uint8Array>
  readonly #due: Table<number>
  readonly #seed: number
  readonly #time: StoreTime
  readonly #generations: SharedGenerations
  readonly #reader = new BindingReader(noSharedTexts)
  readonly #writer = new BindingWriter(noSharedTexts)
  readonly #decoded: (Known | null)[] = new Array(limits.bindingsDecodedMax).fill(null)
  readonly #decodedAt = new Int32Array(limits.bindingsDecodedMax)
  readonly #unwritten = new Map<string, Unwritten>()
  /** The last write of each binding that is on its way. */
  readonly #lastWrites = new Map<string, object>()
  /** Keys of `due` that the store refused: as many as bindings whose record it took in the same moment, so few. */
  readonly #unfiled = new Set<string>()
  /** Key in `due` where the next look at what is due goes on; null: at the second after the last. */
  #resume: string | null = null
  #dueUntil = 0

  constructor(options: StoredBindingsOptions) {
    this.#records = options.bindings
    this.#due = options.due
    this.#seed = options.seed
    this.#time = options.time
    this.#generations = options.generations
    this.#generations.begin(options.bindings.count, options.aorCount)
  }

  get bindingCount(): number {
    return this.#generations.bindingCount
  }

  get aorCount(): number {
    return this.#generations.aorCount
  }

  /** The disk says when it is full. */
  hasRoomFor(): boolean {
    return true
  }

  of(aor: string): readonly Binding[] {
    return this.#known(aor, hashOfAor(aor, this.#seed)).bindings
  }

  byRuid(ruid: string): Binding | undefined {
    const hash = hashInRuid(ruid)
    if (hash < 0) return undefined
    const record = this.#records.get(keyOf(ruid, hashText(hash)))
    if (record === undefined) return undefined
    const { aor } = this.#read(record, hash).binding
    return this.of(aor).find((binding) => binding.ruid === ruid)
  }

  change(from: Binding | null, after: Binding | null): Changed {
    const subject = after ?? from
    if (subject === null) return 'done'
    const { aor, ruid } = subject
    const hash = hashOfAor(aor, this.#seed)
    const known = this.#known(aor, hash)
    const index = known.bindings.findIndex((binding) => binding.ruid === ruid)
    const bindings = replaced(known.bindings, ruid, after)
    if (bindings === known.bindings) return 'done'
    const before = index < 0 ? null : (known.places[index] ?? null)
    const place = after === null ? null : this.#placeFor(after, before, known)
    const next: Known = {
      aor: known.aor === '' ? flatOf(aor) : known.aor,
      bindings,
      places: replacedAt(known.places, index, place),
    }
    this.#count(known, next)
    return this.#written(hash, next, ruid, this.#write(hash, ruid, after, place, before))
  }

  /** What is written is waited for: change(). */
  refresh(): RefreshOutcome {
    return 'other'
  }

  takeExpired(now: number, limit: number): Expired {
    if (this.#unfiled.size > 0) this.#fileAgain()
    const second = Math.floor((now + this.#time.shift) / 1000)
    if (this.#resume === null) {
      const from = this.#generations.claimUntil(second)
      if (from === null) return { bindings: [], isMore: false }
      this.#resume = secondText(from)
      this.#dueUntil = second
    }
    const end = secondText(this.#dueUntil + 1)
    const keys: string[] = []
    for (const [key] of this.#due.entries({ from: this.#resume, limit })) {
      if (key >= end) break
      keys.push(key)
    }
    const isMore = keys.length === limit
    this.#resume = isMore ? `${keys[keys.length - 1]}\u0000` : null
    const bindings: Binding[] = []
    for (const key of keys) {
      const binding = this.#takeDue(key, now)
      if (binding !== null) bindings.push(binding)
    }
    return { bindings, isMore }
  }

  page(from: PageMark | null): Page {
    const rows: Row[] = []
    let last = ''
    for (const [key, record] of this.#records.entries(from === null ? {} : { from: String(from) })) {
      if (rows.length >= pageRecordsMax && !key.startsWith(last.slice(0, 8))) {
        return { bindings: byAor(rows), next: key }
      }
      rows.push(this.#read(record, Number.parseInt(key.slice(0, 8), 16)))
      last = key
    }
    return { bindings: byAor(rows), next: null }
  }

  refusal(): string | null {
    return this.#records.refusal?.() ?? null
  }

  async flushed(): Promise<void> {
    await this.#records.flushed()
  }

  /** What is known, decoded, or read. */
  #known(aor: string, hash: number): Known {
    const unwritten = this.#unwritten.get(aor)
    if (unwritten !== undefined) return unwritten.known
    const place = hash & (limits.bindingsDecodedMax - 1)
    const decoded = this.#decoded[place]
    const generation = this.#generations.of(hash)
    if (decoded?.aor === aor && this.#decodedAt[place] === generation) return decoded
    if (this.#generations.isShared) this.#records.refresh?.()
    // Where something is not committed, it is among the unwritten.
    const known = this.#load(aor, hash, true)
    if (known.bindings.length > 0) this.#remember(hash, known)
    return known
  }

  #load(aor: string, hash: number, committed: boolean): Known {
    const rows: Row[] = []
    for (const [, record] of this.#records.entries({ prefix: hashText(hash), committed })) {
      const row = this.#read(record, hash)
      if (row.binding.aor === aor) rows.push(row)
    }
    const [first] = rows
    if (first === undefined) return nothing
    if (rows.length > 1) rows.sort((a, b) => a.place.position - b.place.position)
    return {
      aor: first.binding.aor,
      bindings: rows.map(({ binding }) => binding),
      places: rows.map(({ place }) => place),
    }
  }

  #remember(hash: number, known: Known): void {
    const place = hash & (limits.bindingsDecodedMax - 1)
    this.#decoded[place] = known
    this.#decodedAt[place] = this.#generations.of(hash)
  }

  #forget(hash: number): void {
    this.#decoded[hash & (limits.bindingsDecodedMax - 1)] = null
  }

  #count(before: Known, after: Known): void {
    const aors = Number(after.bindings.length > 0) - Number(before.bindings.length > 0)
    this.#generations.count(after.bindings.length - before.bindings.length, aors)
  }

  #placeFor({ expiresAt }: Binding, before: Place | null, { places }: Known): Place {
    const position = before?.position ?? (places[places.length - 1]?.position ?? 0) + 1
    if (!Number.isFinite(expiresAt)) return { filed: 0, position }
    const filed = before?.filed ?? 0
    const second = Math.max(this.#dueUntil + 1, Math.ceil((expiresAt + this.#time.shift) / 1000))
    const stays = filed > this.#dueUntil && filed <= second
    return { filed: stays ? filed : second, position }
  }

  async #write(
    hash: number,
    ruid: string,
    after: Binding | null,
    place: Place | null,
    before: Place | null,
  ): Promise<void> {
    const key = keyOf(ruid, hashText(hash))
    const filed = place?.filed ?? 0
    const filedBefore = before?.filed ?? 0
    const filing = filed !== filedBefore && filed !== 0 ? this.#file(secondText(filed) + key) : null
    const write =
      after === null || place === null
        ? this.#records.remove(key)
        : this.#records.put(key, this.#record(hash, after, place))
    if (filedBefore !== 0 && filed !== filedBefore) this.#unfile(secondText(filedBefore) + key)
    await write
    if (filing !== null) await filing
  }

  /**
   * Never rejects. The two writes may be of two commits, of which a disk that fills up takes one and not the other:
   * the record alone says whether there is a binding. What could not be filed is filed at the next look at what is due.
   */
  async #file(key: string): Promise<void> {
    try {
      await this.#due.put(key, 1)
    } catch {
      this.#unfiled.add(key)
    }
  }

  #fileAgain(): void {
    const keys = [...this.#unfiled]
    this.#unfiled.clear()
    for (const key of keys) void this.#file(key)
  }

  /** One too many is no harm: what stays is removed when its second comes. */
  #unfile(key: string): void {
    this.#due.remove(key).catch(() => undefined)
  }

  async #written(hash: number, known: Known, ruid: string, write: Promise<void>): Promise<void> {
    const token = {}
    this.#lastWrites.set(ruid, token)
    const unwritten = this.#unwritten.get(known.aor)
    if (unwritten === undefined) this.#unwritten.set(known.aor, { known, writes: 1 })
    else {
      unwritten.known = known
      unwritten.writes++
    }
    try {
      await write
      this.#settle(hash, known.aor)
    } catch (error) {
      const isSuperseded = this.#lastWrites.get(ruid) !== token
      this.#reload(hash, known.aor)
      this.#settle(hash, known.aor)
      throw new Undone(error, isSuperseded)
    } finally {
      if (this.#lastWrites.get(ruid) === token) this.#lastWrites.delete(ruid)
    }
  }

  /** A write has come back, one way or the other. */
  #settle(hash: number, aor: string): void {
    const unwritten = this.#unwritten.get(aor)
    if (unwritten === undefined || --unwritten.writes > 0) return
    this.#unwritten.delete(aor)
    this.#generations.advance(hash)
    // Where there are other workers, one of them may have written beside us.
    if (unwritten.known.bindings.length > 0 && !this.#generations.isShared) {
      this.#remember(hash, unwritten.known)
    } else this.#forget(hash)
  }

  /** The store has refused: what it has, and what may still come into it, is what there is. */
  #reload(hash: number, aor: string): void {
    const unwritten = this.#unwritten.get(aor)
    if (unwritten === undefined) return
    const known = this.#load(aor, hash, false)
    this.#count(unwritten.known, known)
    unwritten.known = known
  }

  #takeDue(key: string, now: number): Binding | null {
    const second = Number.parseInt(key.slice(0, 8), 16)
    const recordKey = key.slice(8)
    const record = this.#records.get(recordKey)
    const hash = Number.parseInt(recordKey.slice(0, 8), 16)
    const row = record === undefined ? null : this.#read(record, hash)
    if (row === null || row.place.filed !== second) {
      this.#unfile(key)
      return null
    }
    const binding = this.of(row.binding.aor).find(({ ruid }) => ruid === row.binding.ruid)
    if (binding === undefined) return null
    const isExpired = binding.expiresAt <= now
    // Prolonged: written again, to be filed under its new second.
    const changed = this.change(binding, isExpired ? null : { ...binding })
    if (changed instanceof Promise) changed.catch(() => undefined)
    return isExpired ? binding : null
  }

  #record(hash: number, binding: Binding, { filed, position }: Place): Uint8Array {
    const { aor } = binding
    const length = this.#writer.begin([binding], hash, this.#time.shift)
    const start = rowHeaderBytes + aor.length
    const bytes = Buffer.allocUnsafe(start + length) as Buffer as Octets
    bytes.writeUInt32LE(filed, 0)
    bytes.writeUInt32LE(position, 4)
    bytes.writeUInt16LE(aor.length, 8)
    bytes.latin1Write(aor, rowHeaderBytes, aor.length)
    this.#writer.finish(bytes, start)
    return bytes
  }

  #read(record: Uint8Array, hash: number): Row {
    const bytes = Buffer.from(record.buffer, record.byteOffset, record.byteLength) as Buffer as Octets
    const start = rowHeaderBytes + bytes.readUInt16LE(8)
    const aor = bytes.latin1Slice(rowHeaderBytes, start)
    const [binding] = this.#reader.read(bytes, start, bytes.length, aor, hash, this.#time.shift)
    if (binding === undefined) throw new Error('a record without a binding')
    return { binding, place: { filed: bytes.readUInt32LE(0), position: bytes.readUInt32LE(4) } }
  }
}

/** Those of one address-of-record together, as they came: names of one hash may be mixed. */
function byAor(rows: readonly Row[]): Binding[] {
  const groups = new Map<string, Row[]>()
  for (const row of rows) {
    const group = groups.get(row.binding.aor)
    if (group === undefined) groups.set(row.binding.aor, [row])
    else group.push(row)
  }
  const bindings: Binding[] = []
  for (const group of groups.values()) {
    if (group.length > 1) group.sort((a, b) => a.place.position - b.place.position)
    for (const { binding } of group) bindings.push(binding)
  }
  return bindings
}

/** Such as `1f2e3d4culoc-0123456789ab-a`. A ruid that is not of this hash is there as a whole, after a `=`. */
function keyOf(ruid: string, hash: string): string {
  return hash.length + 1 < ruid.length && ruid.endsWith(`-${hash}`)
    ? hash + ruid.slice(0, -9)
    : `${hash}=${ruid}`
}

/** Eight digits, until the year 2106. */
function secondText(second: number): string {
  return hashText(Math.max(0, second) >>> 0)
}

function replacedAt(places: readonly Place[], index: number, place: Place | null): readonly Place[] {
  if (place === null) return places.toSpliced(index, 1)
  return index < 0 ? [...places, place] : places.with(index, place)
}

/** A text of its own, not a piece of a message. */
function flatOf(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1')
}
