import { limits } from '../limits.ts'
import type { OwnBindings } from '../location/shared-table.ts'
import type { Timer } from '../runtime/clock.ts'
import { byAor, type TimedChange } from './directory-record.ts'
import type { EdgesHost } from './edges.ts'
import type { LivingEdges } from './living-edges.ts'
import type { OwnTombstones } from './own-tombstones.ts'
import type { UntoldChanges } from './untold-changes.ts'

export interface RetellingServices {
  readonly edges: LivingEdges
  readonly host: EdgesHost
  readonly table: string
  readonly own: OwnBindings
  readonly untold: UntoldChanges
  readonly tombstones: OwnTombstones
  readonly isUp: () => boolean
  /** False: Redis did not take it. */
  readonly tell: (aor: string, changes: readonly TimedChange[]) => Promise<boolean>
}

/**
 * Tells what waits, some hundred addresses-of-record at a time, and, where that is not enough, all that this edge owns:
 *
 *   untold       whatever could not be told when it was changed
 *   tombstones   what was removed, for a Redis that has lost its data
 *   all          a walk over all bindings: after a loss of data, in a new life, when messages were missed, when too much was
 *                untold, and now and then for what never expires. Only the first worker walks, on behalf of all.
 *
 * One at a time, and again from the beginning if Redis goes away in between.
 */
export class Retelling {
  readonly #services: RetellingServices
  readonly #clock: EdgesHost['clock']
  #wantsAll = false
  #wantsTombstones = false
  #hasBegun = false
  #isRunning = false
  #runsAgain = false
  #isClosed = false
  #isSaid = false
  #timer: Timer | null = null
  #dueAt = 0
  #walkTimer: Timer | null = null

  constructor(services: RetellingServices) {
    this.#services = services
    this.#clock = services.host.clock
    const topic = `edges ${services.table}`
    services.host.workers.onTold(topic, () => this.wantAll())
  }

  /** What is owned is there, and can be told. */
  begin(): void {
    this.#hasBegun = true
    this.wantAll()
    this.#walkNowAndThen()
  }

  /** Something waits: soon. */
  wake(): void {
    const { untold, host, table, edges } = this.#services
    if (untold.hasOverflown) {
      untold.forgetOverflow()
      this.#wantsTombstones = true
      this.wantAll()
      if (!edges.isHeart) host.workers.tellOne(0, `edges ${table}`, 'all')
    }
    this.#schedule(this.#services.isUp() ? retryMilliseconds : 0)
  }

  wantAll(): void {
    if (this.#services.edges.isHeart) this.#wantsAll = true
    this.resume()
  }

  /** Another epoch: nobody remembers what was removed. Another life: nobody knows what is owned in it. */
  stand(): void {
    this.#wantsTombstones = true
    this.wantAll()
  }

  /** Redis may be there again. */
  resume(): void {
    if (this.#isRunning) this.#runsAgain = true
    else this.#schedule(0)
  }

  /** Some of what waits is sent, if there is somebody to take it. */
  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
    this.#walkTimer?.cancel()
    if (!this.#isRunning && this.#services.isUp())
      void this.#tellSome(this.#services.untold.next(limits.edgeToldAtOnceMax))
  }

  #walkNowAndThen(): void {
    this.#walkTimer = this.#clock.schedule(limits.edgeRetellingMilliseconds, () => {
      this.wantAll()
      this.#walkNowAndThen()
    })
  }

  #schedule(milliseconds: number): void {
    const dueAt = this.#clock.now() + milliseconds
    if (this.#isRunning || this.#isClosed || (this.#timer !== null && this.#dueAt <= dueAt)) return
    this.#timer?.cancel()
    this.#dueAt = dueAt
    this.#timer = this.#clock.schedule(milliseconds, () => void this.#run())
  }

  async #run(): Promise<void> {
    this.#timer = null
    const { edges, isUp, untold } = this.#services
    if (this.#isRunning || this.#isClosed) return
    // Whoever changes one of these two calls again.
    if (edges.standing === null || !isUp()) {
      if (untold.count > 0) this.#complain()
      return
    }
    this.#isRunning = true
    this.#runsAgain = false
    const isDone = (await this.#tellUntold()) && (await this.#tellAll())
    this.#isRunning = false
    if (!isDone && untold.count > 0) this.#complain()
    if (this.#runsAgain) this.#schedule(0)
    else if (!isDone || untold.count > 0) this.#schedule(retryMilliseconds)
  }

  /** Once, until all is told. */
  #complain(): void {
    if (this.#isSaid) return
    this.#isSaid = true
    const { host, table, untold } = this.#services
    host.log.warn(
      { table, aors: untold.count },
      'the other edges cannot be told of bindings: they are told later',
    )
  }

  async #tellUntold(): Promise<boolean> {
    const { untold, tombstones, host, table } = this.#services
    if (this.#wantsTombstones) {
      this.#wantsTombstones = false
      for (const [aor, changes] of byAor(tombstones.all())) if (!untold.has(aor)) untold.add(aor, changes)
    }
    let count = 0
    while (untold.count > 0) {
      const some = untold.next(limits.edgeToldAtOnceMax)
      if (!(await this.#tellSome(some))) return false
      count += some.length
      await this.#pause()
      if (this.#isClosed) return false
    }
    if (this.#isSaid) {
      this.#isSaid = false
      host.log.info({ table, aors: count }, 'the other edges have been told')
    }
    return true
  }

  async #tellSome(some: readonly [string, readonly TimedChange[]][]): Promise<boolean> {
    const { untold, tell } = this.#services
    const taken = await Promise.all(
      some.map(async ([aor, changes]) => {
        const isTaken = await tell(aor, changes)
        if (isTaken) untold.done(aor, changes)
        return isTaken
      }),
    )
    return !taken.includes(false)
  }

  /** What is changed while it walks is told by who changes it. */
  async #tellAll(): Promise<boolean> {
    const { own, edges, table, host, untold } = this.#services
    const { standing } = edges
    if (!this.#wantsAll || !this.#hasBegun || standing === null) return true
    this.#wantsAll = false
    let count = 0
    for (const page of own.pages()) {
      const changes = page.map((after) => ({ before: null, after, at: after.modifiedAt }))
      const groups = [...byAor(changes)]
      for (let i = 0; i < groups.length; i += limits.edgeToldAtOnceMax) {
        const some = groups.slice(i, i + limits.edgeToldAtOnceMax)
        const taken = await Promise.all(some.map(([aor, group]) => this.#services.tell(aor, group)))
        const isSame = edges.standing?.epoch === standing.epoch && edges.standing.life === standing.life
        if (taken.includes(false) || !isSame) this.#wantsAll = true
        if (this.#wantsAll || this.#isClosed) return false
        await this.#pause()
        // What could not be told meanwhile is newer, and does not wait for the end.
        if (untold.count > 0 && !(await this.#tellUntold())) this.#wantsAll = true
      }
      count += page.length
    }
    edges.settle(table, standing.life)
    host.log.debug({ table, bindings: count }, 'all that this edge owns has been told')
    return true
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      this.#clock.schedule(limits.edgeTellingPauseMilliseconds, resolve)
    })
  }
}

/** Milliseconds until what Redis did not take is told again. */
const retryMilliseconds = 1_000
