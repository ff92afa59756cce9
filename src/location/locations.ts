import { limits } from '../limits.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import type { Random } from '../runtime/random.ts'
import type { OpenRegion, Region } from '../store/region.ts'
import type { OpenTable, Table } from '../store/table.ts'
import type { SocketTable } from '../transport/socket.ts'
import type { BindingTable } from './binding-table.ts'
import { DatabaseBindings } from './database-bindings.ts'
import { FlowSlots, flowSlotsBytesMax } from './flow-slots.ts'
import { FlowTable } from './flows.ts'
import { HeldPeers, type Peers } from './held-peers.ts'
import { HeldStore } from './held-store.ts'
import { LoadedBindings } from './loaded-bindings.ts'
import { Location } from './location.ts'
import type { LocationDatabase } from './location-database.ts'
import { PackedBindings } from './packed-bindings.ts'
import { hashOfAor, hashText, ruidOf } from './ruid.ts'
import { generationsBytes, SharedGenerations } from './shared-generations.ts'
import type { OwnBindings, SharedTable } from './shared-table.ts'
import { StoreTime } from './store-time.ts'
import type { StoredBinding } from './stored.ts'
import { StoredBindings } from './stored-bindings.ts'
import { WriteBackBindings } from './write-back.ts'
import { WriteThroughBindings } from './write-through.ts'

/**
 * All location tables of a router, and what they share: the flows, the seed of their hashes, the store's time. Workers
 * of one router open the same regions and the same store, each with a Locations of its own.
 */
export interface LocationsHost {
  readonly clock: Clock
  readonly log: Log
  readonly random: Random
  readonly sockets: SocketTable
  readonly openTable: OpenTable
  readonly openRegion: OpenRegion
  /** The workers of the router, if there are several. */
  readonly workers?: Peers
}

export interface LocationsOptions {
  /** Bindings are in the store; otherwise in memory. */
  isDurable: boolean
  /** Regions of another kind are others: what files differently does not find what was filed before. */
  kind: string
  bindingsMax?: number
  /** Bindings are in the tables of a database; those that hang on flows are in the store or in memory all the same. */
  database?: LocationDatabases
  /** Opens what other edges have of a table, if there are others. */
  share?: (table: string, own: OwnBindings) => SharedTable
}

export interface LocationDatabases {
  readonly mode: DatabaseMode
  /** @throws DatabaseError if there is no such table. */
  open(table: string): LocationDatabase
}

/**
 * As Kamailio's usrloc numbers them: 1 in memory, and in the database before it is acknowledged; 2 in memory, and in the
 * database later; 3 in the database alone; 4 in memory, as the database has it at the start.
 */
export type DatabaseMode = 1 | 2 | 3 | 4

/** Words of the region that says what is common to all workers. */
const common = { isBegun: 0, seed: 1, wallMinusNow: 1 } as const
const commonBytes = 16

export class Locations {
  readonly flows: FlowTable
  /** Null where there is one worker. */
  readonly peers: HeldPeers | null
  /** Whoever changes bindings does not wait for the store. */
  answersFirst = false
  readonly #host: LocationsHost
  readonly #options: LocationsOptions
  readonly #tables = new Map<string, Location>()
  /** Tables in memory that a database has too. */
  readonly #loaded = new Map<string, LoadedBindings>()
  readonly #seed: number
  /** What makes of this worker's monotonic clock the one of the regions, which is the first worker's. */
  readonly #shift: number
  /** Null: in memory only. */
  readonly #store: { readonly meta: Table<number>; readonly time: StoreTime } | null
  readonly #ruidMaker: string
  #ruids = 0

  constructor(host: LocationsHost, options: LocationsOptions) {
    this.#host = host
    this.#options = options
    const peers = host.workers !== undefined && host.workers.count > 1 ? host.workers : null
    this.flows = new FlowTable(peers === null ? null : this.#slots(peers))
    this.peers = peers === null ? null : this.#heldPeers(peers)
    this.#ruidMaker = `uloc-${host.random.hex(6)}-`
    const region = host.openRegion(`locations ${options.kind}`, commonBytes)
    const meta = options.isDurable ? host.openTable<number>('usrloc.meta') : null
    const { seed, shift } = this.#begin(region, meta)
    this.#seed = seed
    this.#shift = shift
    this.#store = meta === null ? null : { meta, time: this.#storeTime(meta) }
  }

  #slots(peers: Peers): FlowSlots {
    const region = this.#host.openRegion(`flows ${this.#options.kind}`, flowSlotsBytesMax)
    const slots = new FlowSlots(region, peers.index)
    slots.dropAll()
    return slots
  }

  #heldPeers(peers: Peers): HeldPeers {
    const { sockets, clock } = this.#host
    const world = {
      peers,
      sockets,
      flows: this.flows,
      open: (name: string) => this.open(name),
      tables: () => this.#tables.values(),
      now: () => clock.now(),
    }
    return new HeldPeers(world, this.#options.kind)
  }

  get tables(): ReadonlyMap<string, Location> {
    return this.#tables
  }

  newRuid(aor: string): string {
    return ruidOf(this.#ruidMaker, this.#ruids++, hashOfAor(aor, this.#seed))
  }

  /** As one that was given before names had the hash in them. */
  ruidFor(aor: string, old: string): string {
    return `${old}-${hashText(hashOfAor(aor, this.#seed))}`
  }

  /** The table of this name, without what the store holds of flows: Location.restore(). */
  open(name: string): Location {
    const existing = this.#tables.get(name)
    if (existing !== undefined) return existing
    const { clock, log, sockets, openTable } = this.#host
    const { flows } = this
    const store = this.#store
    const heldStore =
      store === null
        ? null
        : new HeldStore({
            table: openTable<StoredBinding>(`usrloc.${name}`),
            clock,
            time: store.time,
            flows,
            sockets,
            log,
          })
    const { bindingsMax = limits.bindingsMax, database, share } = this.#options
    const table =
      database !== undefined
        ? this.#inDatabase(name, database)
        : store === null
          ? this.#packed(name)
          : this.#stored(name, store.meta, store.time)
    const location = new Location({
      name,
      clock,
      log,
      flows,
      table,
      heldStore,
      peers: this.peers,
      bindingsMax,
      answersFirst: () => this.answersFirst,
      ...(share && { share: (own: OwnBindings) => share(name, own) }),
    })
    this.#tables.set(name, location)
    return location
  }

  /**
   * Reads what a database has of the table into memory, once; nothing where the database is asked each time.
   *
   * @throws DatabaseError
   */
  async load(name: string): Promise<{ count: number; isFull: boolean }> {
    const { bindingsMax = limits.bindingsMax } = this.#options
    const table = this.#loaded.get(name)
    return table === undefined
      ? { count: 0, isFull: false }
      : await table.load(this.#host.clock.now(), bindingsMax)
  }

  /** Tells the database what it does not know yet. False if it refuses: then nothing is forgotten. */
  async writeBack(): Promise<boolean> {
    let isWritten = true
    for (const table of this.#loaded.values()) {
      if (table instanceof WriteBackBindings) isWritten = (await table.writeBack()) && isWritten
    }
    return isWritten
  }

  /** Now and then: tells the store what it cannot count, and whether the date has been changed. */
  note(): void {
    if (this.#store === null) return
    const { meta, time } = this.#store
    time.check()
    if (this.#options.database !== undefined) return
    for (const [name, { tableCounts }] of this.#tables) {
      this.#remember(meta, `bindings.${name}`, tableCounts.bindings)
      this.#remember(meta, `aors.${name}`, tableCounts.aors)
    }
  }

  #inDatabase(name: string, { mode, open }: LocationDatabases): BindingTable {
    const database = open(name)
    if (mode === 3) {
      const { workers } = this.#host
      const isInCharge = () => workers === undefined || workers.inCharge(`usrloc ${name}`) === workers.index
      return new DatabaseBindings({ database, isInCharge })
    }
    const Kind = mode === 1 ? WriteThroughBindings : mode === 2 ? WriteBackBindings : LoadedBindings
    const table = new Kind(this.#packed(name), database)
    this.#loaded.set(name, table)
    return table
  }

  #packed(name: string): BindingTable {
    const { openRegion, clock } = this.#host
    const bytesMax = limits.locationBytesMax
    return new PackedBindings({
      region: openRegion(`location ${name} ${this.#options.kind}`, bytesMax),
      seed: this.#seed,
      now: clock.now(),
      shift: this.#shift,
      bytesMax,
    })
  }

  #stored(name: string, meta: Table<number>, time: StoreTime): BindingTable {
    const { openTable, openRegion } = this.#host
    const bindings = openTable<Uint8Array>(`usrloc.${name}.bindings`)
    return new StoredBindings({
      bindings,
      due: openTable<number>(`usrloc.${name}.due`),
      aorCount: estimatedAors(meta, name, bindings.count),
      seed: this.#seed,
      time,
      generations: new SharedGenerations(
        openRegion(`location ${name} ${this.#options.kind}`, generationsBytes),
      ),
    })
  }

  /** The first worker decides; a seed that the store has is kept, since the names of bindings depend on it. */
  #begin(region: Region, meta: Table<number> | null): { seed: number; shift: number } {
    const { clock, random } = this.#host
    const wallMinusNow = clock.wall() - clock.now()
    region.lock()
    try {
      region.grow(commonBytes)
      const words = new Int32Array(region.buffer, 0, 2)
      const times = new Float64Array(region.buffer, 0, 2)
      if (words[common.isBegun] === 0) {
        words[common.isBegun] = 1
        words[common.seed] = meta?.get('seed') ?? random.integer(0x7fffffff)
        times[common.wallMinusNow] = wallMinusNow
      }
      const seed = words[common.seed] ?? 0
      if (meta !== null) this.#remember(meta, 'seed', seed)
      return { seed, shift: Math.round(wallMinusNow - (times[common.wallMinusNow] ?? wallMinusNow)) }
    } finally {
      region.unlock()
    }
  }

  #storeTime(meta: Table<number>): StoreTime {
    return new StoreTime(this.#host.clock, meta.get('skew') ?? 0, (skew) => {
      this.#host.log.warn(
        { seconds: Math.round(skew / 1000) },
        'the date was changed: bindings keep their lifetimes',
      )
      this.#remember(meta, 'skew', skew)
    })
  }

  #remember(meta: Table<number>, key: string, value: number): void {
    if (meta.get(key) === value) return
    meta
      .put(key, value)
      .catch((error) => this.#host.log.debug({ err: error, key }, 'the store refused a count'))
  }
}

/** Exact if the process before this one ended in peace; after a crash as many as there were for as many bindings. */
function estimatedAors(meta: Table<number>, name: string, bindings: number): number {
  const bindingsThen = meta.get(`bindings.${name}`) ?? 0
  const aorsThen = meta.get(`aors.${name}`) ?? 0
  return bindingsThen === 0 ? bindings : Math.round((bindings / bindingsThen) * aorsThen)
}
