import { limits } from '../limits.ts'
import type { Binding } from '../location/binding.ts'
import type { Change } from '../location/location.ts'
import { Outdated, type OwnBindings, type SharedTable } from '../location/shared-table.ts'
import type { Redis, RedisResult, Subscription } from '../redis/redis.ts'
import type { Counter, Series } from '../runtime/metrics.ts'
import { Directory, type Notice, readNotice } from './directory.ts'
import { aorOf, byAor, type MatchingMode, type TimedChange } from './directory-record.ts'
import type { TellAnswer } from './directory-scripts.ts'
import type { EdgesHost } from './edges.ts'
import type { LivingEdges, Standing } from './living-edges.ts'
import { OwnTombstones } from './own-tombstones.ts'
import { RememberedBindings } from './remembered-bindings.ts'
import { Retelling } from './retelling.ts'
import { UntoldChanges } from './untold-changes.ts'

/** What is to be known of a location table. */
export interface SharedBindingsOptions {
  /** The table's name: edges that share it call it the same. */
  readonly table: string
  /** usrloc's matching_mode: what makes two contacts the same. 0 by default. */
  readonly matchingMode?: MatchingMode
  /** Addresses-of-record whose changes may wait for Redis. */
  readonly untoldMax?: number
}

/**
 * The directory of one location table in Redis, as one worker of an edge has it (docs/decisions/0025-edges.md).
 *
 *     const edges = openEdges(redis, host, { name, uri })
 *     const shared = new SharedBindings(redis, edges, own, host, { table: 'location' })
 *     shared.begin()          // once what the own store holds has been restored
 *     ...
 *     await shared.close()
 *     await edges.close()
 *
 * Each worker tells what it has changed itself, and remembers what it has read. What is owned by all of them together is
 * told again by the first.
 */
export class SharedBindings implements SharedTable {
  readonly #redis: Redis
  readonly #edges: LivingEdges
  readonly #own: OwnBindings
  readonly #host: EdgesHost
  readonly #directory: Directory
  readonly #remembered: RememberedBindings
  readonly #untold: UntoldChanges
  readonly #tombstones: OwnTombstones
  readonly #retelling: Retelling
  readonly #subscription: Subscription
  readonly #leave: (() => void)[]
  readonly #told: Counter
  readonly #lookups: Counter
  readonly #remembering: Series
  /** Reads under way. */
  readonly #fetches = new Map<string, Promise<boolean>>()
  /** Addresses-of-record that are being told, and how often. */
  readonly #telling = new Map<string, number>()

  constructor(
    redis: Redis,
    edges: LivingEdges,
    own: OwnBindings,
    host: EdgesHost,
    { table, matchingMode = 0, untoldMax = limits.edgeUntoldMax }: SharedBindingsOptions,
  ) {
    this.#redis = redis
    this.#edges = edges
    this.#own = own
    this.#host = host
    this.#directory = new Directory(redis, edges, host.clock, table, matchingMode)
    this.#remembered = new RememberedBindings(host.clock)
    this.#untold = new UntoldChanges(untoldMax)
    this.#tombstones = new OwnTombstones(host.clock)
    this.#told = host.metrics.counter(
      'viaduct_edges_told_total',
      'Addresses-of-record of which the directory was told: told, outdated, later.',
      ['result'],
    )
    this.#lookups = host.metrics.counter(
      'viaduct_edges_lookups_total',
      'Questions for what other edges have: remembered, read, unknown.',
      ['result'],
    )
    this.#remembering = this.#lookups.series('remembered')
    this.#retelling = new Retelling({
      edges,
      host,
      table,
      own,
      untold: this.#untold,
      tombstones: this.#tombstones,
      isUp: () => redis.state === 'up',
      tell: (aor, changes) => this.#tellAgain(aor, changes),
    })
    this.#leave = [
      edges.include({ untoldCount: () => this.#untold.count, table }),
      edges.onStanding((standing) => this.#stand(standing)),
      redis.onState((state) => {
        if (state === 'up') this.#retelling.resume()
      }),
    ]
    this.#subscription = redis.subscribe(this.#directory.channel, {
      onMessage: (message) => this.#hear(readNotice(message)),
      onGap: () => this.#forgetAll(),
    })
  }

  /** From now on all that this edge owns is told whenever it must be: not before all of it is there. */
  begin(): void {
    this.#retelling.begin()
  }

  fetch(aor: string): Promise<boolean> | null {
    if (this.#remembered.has(aor)) {
      this.#remembering.add()
      return null
    }
    const underWay = this.#fetches.get(aor)
    if (underWay !== undefined) return underWay
    const fetching = this.#fetch(aor)
    this.#fetches.set(aor, fetching)
    return fetching
  }

  of(aor: string): readonly Binding[] {
    const bindings = this.#remembered.of(aor)
    if (bindings.length === 0) return none
    const now = this.#host.clock.now()
    const { table } = this.#directory
    return bindings.filter(
      ({ expiresAt, elsewhere }) =>
        expiresAt > now && this.#edges.isCurrent(elsewhere.edge.name, table, elsewhere.life),
    )
  }

  tell(changes: readonly Change[]): Promise<void> | null {
    const now = this.#host.clock.now()
    const timed = changes.map((change) => ({ ...change, at: change.after?.modifiedAt ?? now }))
    for (const change of timed) this.#tombstones.note(change)
    const [first] = timed
    if (first === undefined) return null
    const aor = aorOf(first)
    if (timed.every((change) => aorOf(change) === aor)) return this.#tell(aor, timed)
    const ready = [...byAor(timed)]
      .map(([one, some]) => this.#tell(one, some))
      .filter((told) => told !== null)
    return ready.length === 0 ? null : Promise.all(ready).then(() => {})
  }

  /** Tells nobody anything any more; some of what waits is on its way. */
  close(): Promise<void> {
    this.#subscription.end()
    for (const leave of this.#leave) leave()
    this.#retelling.close()
    return Promise.resolve()
  }

  async #fetch(aor: string): Promise<boolean> {
    this.#remembered.read(aor)
    const result = await this.#directory.read(aor)
    this.#fetches.delete(aor)
    if (result.status !== 'ok') {
      this.#remembered.fail(aor)
      this.#lookups.add(1, 'unknown')
      return false
    }
    const bindings = this.#directory.bindingsOf(aor, result.value)
    // A directory that has forgotten, or an edge that has just begun: that there is none is not known yet.
    const isKnown = bindings.length > 0 || this.#edges.haveToldAll(this.#directory.table)
    this.#remembered.put(aor, bindings, isKnown && this.#subscription.isLive)
    this.#lookups.add(1, isKnown ? 'read' : 'unknown')
    return isKnown
  }

  #tell(aor: string, changes: readonly TimedChange[]): Promise<void> | null {
    for (const { before } of changes) {
      if (before !== null && before.elsewhere !== null) this.#remembered.drop(aor, before.ruid)
    }
    const { standing } = this.#edges
    if (standing !== null && this.#redis.state === 'up' && !this.#untold.has(aor)) {
      return this.#tellNow(aor, changes, standing)
    }
    this.#keep(aor, changes)
    return null
  }

  async #tellNow(aor: string, changes: readonly TimedChange[], { life }: Standing): Promise<void> {
    const result = await this.#counted(aor, changes, life, true)
    if (result.status !== 'ok') {
      this.#keep(aor, changes)
      return
    }
    const { isTold, hasTaken } = result.value
    if (!isTold || hasTaken) this.#remembered.forget(aor)
    this.#told.add(1, isTold ? 'told' : 'outdated')
    if (!isTold) throw new Outdated('another edge has heard something newer')
  }

  #keep(aor: string, changes: readonly TimedChange[]): void {
    this.#untold.add(aor, changes)
    this.#told.add(1, 'later')
    this.#retelling.wake()
  }

  /** What comes too late is lost. False: it could not be told. */
  async #tellAgain(aor: string, changes: readonly TimedChange[]): Promise<boolean> {
    const { standing } = this.#edges
    if (standing === null) return false
    const result = await this.#counted(aor, changes, standing.life, false)
    if (result.status !== 'ok') return false
    const { hasTaken, outdated } = result.value
    this.#told.add(1, outdated.length === 0 ? 'told' : 'outdated')
    if (hasTaken || outdated.length > 0) this.#remembered.forget(aor)
    for (const number of outdated) {
      const lost = changes[number]?.after
      if (lost !== undefined && lost !== null) this.#lose(aor, lost.ruid, changes)
    }
    return true
  }

  async #counted(
    aor: string,
    changes: readonly TimedChange[],
    life: number,
    isStrict: boolean,
  ): Promise<RedisResult<TellAnswer>> {
    this.#telling.set(aor, (this.#telling.get(aor) ?? 0) + 1)
    const result = await this.#directory.tell(aor, changes, life, isStrict)
    const left = (this.#telling.get(aor) ?? 1) - 1
    if (left === 0) this.#telling.delete(aor)
    else this.#telling.set(aor, left)
    return result
  }

  /** Not if something newer of it is on its way: that will be judged by itself. */
  #lose(aor: string, ruid: string, told: readonly TimedChange[] | null = null): void {
    if (this.#telling.has(aor)) return
    const waiting = this.#untold.of(aor)
    if (waiting !== undefined && waiting !== told) return
    this.#own.lose(ruid)
  }

  #hear(notice: Notice | null): void {
    if (notice === null) return
    const { name } = this.#edges.self
    const { aor, by, lost } = notice
    if (by !== name || lost.length > 0) this.#remembered.forget(aor)
    if (by === name) return
    const ours = lost.filter(({ edge }) => edge === name).map(({ ruid }) => ruid)
    if (ours.length > 0) void this.#verifyLoss(aor, ours)
  }

  /** It may have come back since: what the directory says now counts. */
  async #verifyLoss(aor: string, ruids: readonly string[]): Promise<void> {
    const result = await this.#directory.read(aor)
    if (result.status !== 'ok') {
      this.#retelling.wantAll()
      return
    }
    for (const ruid of ruids) if (!result.value.own.includes(ruid)) this.#lose(aor, ruid)
  }

  /** Messages were missed: what others have changed, and what they have taken from us. */
  #forgetAll(): void {
    this.#remembered.clear()
    if (this.#subscription?.isLive) this.#retelling.wantAll()
  }

  #stand(standing: Standing | null): void {
    if (standing === null) return
    this.#remembered.clear()
    this.#retelling.stand()
  }
}

const none: readonly Binding[] = []
