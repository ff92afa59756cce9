import type {
  SharedDirectoryTable,
  SharedLocations,
  SharedLocationsOptions,
} from '../edges/shared-locations.ts'
import type { Binding } from '../location/binding.ts'
import type { Change } from '../location/location.ts'
import { Outdated, type OwnBindings } from '../location/shared-table.ts'
import type { SimulatedClock } from './clock.ts'
import { type SharedMatching, SharedRecords, type ToldChange } from './shared-records.ts'
import { SimulatedEdges } from './simulated-edges.ts'

/**
 * What several simulated routers share instead of Redis: one directory of all bindings, in memory, and who of them lives.
 *
 *     const directory = new SharedDirectory(clock)
 *     const share = directory.join({ name: 'a', uri: 'sip:192.0.2.1:5060' })
 *     directory.isAway = true          // Redis is gone, for all
 *     directory.cut('a')               // or for one of them
 *     directory.delayMs = 400          // it answers, and too late
 *     directory.kill('a')              // that edge is dead for the others
 *     directory.forget()               // Redis is back without its data
 */
export class SharedDirectory {
  readonly clock: SimulatedClock
  /** What all edges sign with. */
  readonly secret = Buffer.alloc(32, 'secret of all edges, 32 octets.')
  readonly heartbeatMs = 1_000
  /** Nobody waits longer for an answer. */
  readonly deadlineMs = 250
  /** From question to answer. */
  delayMs = 0
  readonly #tables = new Map<string, SharedRecords>()
  /** Several of one name are workers of one router. */
  readonly #shares: SimulatedShare[] = []
  readonly #dead = new Set<string>()
  readonly #draining = new Set<string>()
  readonly #cut = new Set<string>()
  #isAway = false

  constructor(clock: SimulatedClock) {
    this.clock = clock
  }

  join({ name, uri, matchingMode = 0 }: SharedLocationsOptions): SimulatedShare {
    const share = new SimulatedShare(this, { name, uri }, matchingMode)
    this.#shares.push(share)
    this.#dead.delete(name)
    this.#changed()
    return share
  }

  /** False again: all tell what they could not tell, and hear what they could not hear. */
  get isAway(): boolean {
    return this.#isAway
  }

  set isAway(away: boolean) {
    this.#isAway = away
    this.#gap()
  }

  cut(name: string): void {
    this.#cut.add(name)
    this.#gap(name)
  }

  mend(name: string): void {
    this.#cut.delete(name)
    this.#gap(name)
  }

  /** It says nothing any more: three heartbeats have passed. */
  kill(name: string): void {
    this.#dead.add(name)
    this.#changed()
  }

  revive(name: string): void {
    this.#dead.delete(name)
    this.#changed()
  }

  /** Nothing is left, and all tell again what they have. */
  forget(): void {
    for (const records of this.#tables.values()) records.forget()
    this.#gap()
  }

  /** What all edges have, by the name of the edge: `a sip:bob@192.0.2.7`. */
  contacts(aor: string, table = 'location'): string[] {
    return this.records(table, 0)
      .of(aor, this.clock.now())
      .map(({ edge, binding }) => `${edge} ${binding.contact}`)
      .sort()
  }

  /** @internal */
  isReachableFrom(name: string): boolean {
    return !this.#isAway && !this.#cut.has(name)
  }

  /** @internal */
  isAlive(name: string): boolean {
    return this.names().includes(name) && !this.#dead.has(name)
  }

  /** @internal */
  uriOf(name: string): string {
    return this.#shares.findLast((share) => share.name === name)?.edges.self.uri ?? ''
  }

  /** @internal */
  names(): string[] {
    return [...new Set(this.#shares.map(({ name }) => name))]
  }

  /** @internal */
  isDraining(name: string): boolean {
    return this.#draining.has(name)
  }

  /** @internal */
  drain(name: string, on: boolean): void {
    if (on) this.#draining.add(name)
    else this.#draining.delete(name)
    this.#changed()
  }

  /** @internal */
  records(table: string, mode: SharedMatching): SharedRecords {
    const existing = this.#tables.get(table)
    if (existing !== undefined) return existing
    const created = new SharedRecords(mode)
    this.#tables.set(table, created)
    return created
  }

  /** @internal What an edge does, and what the others hear of it. */
  tell(from: SimulatedShare, table: string, changes: readonly ToldChange[]): boolean {
    const lost = this.records(table, from.matchingMode).tell(from.name, changes, this.clock.now())
    if (lost === null) return false
    for (const share of this.#shares) {
      if (share === from || !this.isReachableFrom(share.name)) continue
      for (const { before, after } of changes) share.tableOf(table)?.hear((after ?? before)?.aor ?? '')
      for (const { edge, binding } of lost) {
        if (edge === share.name) share.tableOf(table)?.lose(binding.ruid)
      }
    }
    return true
  }

  #gap(name?: string): void {
    for (const share of this.#shares) if (name === undefined || share.name === name) share.resume()
  }

  #changed(): void {
    for (const { edges } of this.#shares) edges.changed()
  }
}

/** One edge's part in a SharedDirectory. */
export class SimulatedShare implements SharedLocations {
  readonly edges: SimulatedEdges
  readonly matchingMode: SharedMatching
  readonly #directory: SharedDirectory
  readonly #tables = new Map<string, SimulatedSharedTable>()

  constructor(
    directory: SharedDirectory,
    self: { readonly name: string; readonly uri: string },
    matchingMode: SharedMatching,
  ) {
    this.#directory = directory
    this.matchingMode = matchingMode
    this.edges = new SimulatedEdges(directory, self)
  }

  get name(): string {
    return this.edges.self.name
  }

  open(name: string, own: OwnBindings): SharedDirectoryTable {
    const table = new SimulatedSharedTable(this.#directory, this, name, own)
    this.#tables.set(name, table)
    return table
  }

  tableOf(name: string): SimulatedSharedTable | undefined {
    return this.#tables.get(name)
  }

  /** @internal There was a gap, or it ended: nothing that was remembered counts, and what was not told is told. */
  resume(): void {
    for (const table of this.#tables.values()) table.resume()
  }

  async close(): Promise<void> {
    this.#tables.clear()
    await this.edges.close()
  }
}

class SimulatedSharedTable implements SharedDirectoryTable {
  readonly #directory: SharedDirectory
  readonly #share: SimulatedShare
  readonly #name: string
  readonly #own: OwnBindings
  /** Of other edges, as long as nobody says that it has changed. */
  readonly #known = new Map<string, readonly Binding[]>()
  #untold: ToldChange[] = []

  constructor(directory: SharedDirectory, share: SimulatedShare, name: string, own: OwnBindings) {
    this.#directory = directory
    this.#share = share
    this.#name = name
    this.#own = own
  }

  begin(): void {
    if (this.#isReachable) this.#tellAll()
  }

  fetch(aor: string): Promise<boolean> | null {
    if (this.#known.has(aor)) return null
    if (!this.#isReachable) return Promise.resolve(false)
    return this.#answered(
      () => {
        if (!this.#isReachable) return false
        this.#known.set(aor, this.#others(aor))
        return true
      },
      () => false,
    )
  }

  of(aor: string): readonly Binding[] {
    const now = this.#directory.clock.now()
    return (this.#known.get(aor) ?? []).filter(({ expiresAt }) => expiresAt > now)
  }

  tell(changes: readonly Change[]): Promise<void> | null {
    const now = this.#directory.clock.now()
    const told = changes.map((change) => ({ ...change, at: change.after?.modifiedAt ?? now }))
    if (!this.#isReachable) {
      this.#keep(told)
      return null
    }
    const tell = () => {
      if (!this.#isReachable) this.#keep(told)
      else if (!this.#directory.tell(this.#share, this.#name, told)) {
        for (const { before, after } of told) this.hear((after ?? before)?.aor ?? '')
        return new Outdated('another edge has heard something newer')
      } else this.#readAgain(told)
      return null
    }
    return this.#answered(
      tell,
      () => null,
      (outdated) => outdated && this.#loseAll(told),
    ).then((outdated) => {
      if (outdated !== null) throw outdated
    })
  }

  /** @internal Another edge has changed something of it. */
  hear(aor: string): void {
    this.#known.delete(aor)
  }

  /** @internal */
  lose(ruid: string): void {
    this.#own.lose(ruid)
  }

  /** @internal */
  resume(): void {
    this.#known.clear()
    if (!this.#isReachable) return
    for (const change of this.#untold.splice(0)) this.#tellLate(change)
    this.#tellAll()
  }

  #tellAll(): void {
    for (const page of [...this.#own.pages()]) {
      for (const after of page) this.#tellLate({ before: null, after, at: after.modifiedAt })
    }
  }

  #tellLate(change: ToldChange): void {
    if (!this.#directory.tell(this.#share, this.#name, [change])) this.#loseAll([change])
  }

  #loseAll(changes: readonly ToldChange[]): void {
    for (const { after } of changes) if (after !== null) this.#own.lose(after.ruid)
  }

  /** Told when there is somebody to tell. */
  #keep(changes: readonly ToldChange[]): void {
    this.#untold.push(...changes)
  }

  #readAgain(changes: readonly ToldChange[]): void {
    for (const { before, after } of changes) {
      const aor = (after ?? before)?.aor ?? ''
      if (this.#known.has(aor)) this.#known.set(aor, this.#others(aor))
    }
  }

  #others(aor: string): Binding[] {
    const { edges, matchingMode } = this.#share
    const records = this.#directory.records(this.#name, matchingMode).of(aor, this.#directory.clock.now())
    return records
      .filter(({ edge }) => edge !== edges.self.name)
      .map(({ edge, binding }) => ({
        ...binding,
        received: '',
        flow: null,
        elsewhere: { edge: edges.owner(edge), isDirect: isDirect(binding) },
      }))
  }

  get #isReachable(): boolean {
    return this.#directory.isReachableFrom(this.#share.name)
  }

  /** After the delay what `answer` gives; if that is too late, what `late` gives, and `tooLate` gets the answer. */
  #answered<R>(answer: () => R, late: () => R, tooLate: (answer: R) => void = () => {}): Promise<R> {
    const { clock, delayMs, deadlineMs } = this.#directory
    if (delayMs === 0) return Promise.resolve(answer())
    return new Promise((resolve) => {
      const isLate = delayMs > deadlineMs
      if (isLate) clock.schedule(deadlineMs, () => resolve(late()))
      clock.schedule(delayMs, () => (isLate ? tooLate(answer()) : resolve(answer())))
    })
  }
}

/** Its contact is where it was heard from. */
function isDirect({ flow, received }: Binding): boolean {
  return flow === null && received === ''
}
