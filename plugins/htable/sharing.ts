import {
  type Clock,
  type Counter,
  keyOf,
  type Log,
  limits,
  type Redis,
  type RedisResult,
  type Subscription,
} from '../../src/plugin/index.ts'
import {
  changeScript,
  type EdgeKeys,
  joinScript,
  type Message,
  pageScript,
  readMessage,
} from './edge-scripts.ts'
import type { ScriptTable } from './hash-table.ts'
import { Replica } from './replica.ts'
import { type Batch, type Change, settleAll, UntoldChanges, type Waiter } from './untold.ts'

/**
 * Keeps one table in step with Redis: tells what changes here, one batch at a time and in order, hears what others change, and
 * reads the whole table when something may have been missed. docs/decisions/0026-shared-tables.md.
 *
 *   alone --Redis up, channel live--> reading --last page--> in step
 *     ^---------- link or channel lost, a message missed, another epoch ----------'
 *
 * While it is alone everything goes on here, and what is written waits.
 */
export class TableSharing {
  readonly #table: ScriptTable
  readonly #redis: Redis
  readonly #world: SharingWorld
  readonly #keys: EdgeKeys
  readonly #channel: string
  readonly #untold = new UntoldChanges()
  readonly #replica: Replica
  readonly #subscription: Subscription
  readonly #forgetState: () => void
  #epoch: string
  /** The version that the last message, or the last reading, came to. */
  #heard = -1
  /** Gaps, and how many there had been when the last whole reading began. */
  #gaps = 0
  #gapsRead = -1
  #mustRead = true
  #isInStep = false
  #isReading = false
  /** What is here goes back to Redis, which has lost it or was not told. */
  #owes = false
  #isTelling = false
  #isClosed = false
  #batchNumber = 0
  #failures = 0
  #onChange: (() => void)[] = []

  /** @param outlived what the table holds was written by a worker that has died: Redis may not know of it. */
  constructor(table: ScriptTable, redis: Redis, world: SharingWorld, outlived = false) {
    const { name } = table.definition
    this.#table = table
    this.#redis = redis
    this.#world = world
    this.#epoch = outlived ? 'outlived' : ''
    this.#replica = new Replica(table, this.#untold)
    this.#keys = {
      data: keyOf('sht', name),
      due: keyOf('sht.due', name),
      meta: keyOf('sht.meta', name),
      from: keyOf(`sht.from.${world.origin}`, name),
    }
    this.#channel = `sht:${databaseOf(redis)}:${name}`
    this.#subscription = redis.subscribe(this.#channel, {
      onMessage: (octets) => this.#hear(octets),
      onGap: () => this.#miss(),
    })
    this.#forgetState = redis.onState((state) => this.#linkIs(state))
    void this.#read()
  }

  get isInStep(): boolean {
    return this.#isInStep
  }

  /** Entries of which Redis does not know, or has not said that it does. */
  get untold(): number {
    return this.#untold.size + (this.#replica.underWay?.changes.size ?? 0)
  }

  /** The table has been changed here. */
  note(key: string, kind: Change['kind'], amount: number, renews: boolean, waiter?: Waiter): void {
    // What Redis has lost and does not have back yet cannot be added to.
    const told = kind === 'add' && this.#owes ? 'set' : kind
    const wasOverflown = this.#untold.isOverflown
    if (!this.#untold.note(key, told, amount, renews, waiter)) this.#replica.forgetVersion(key)
    if (!wasOverflown && this.#untold.isOverflown) {
      this.#log().warn({ max: limits.htableUntoldMax }, 'too much to tell: what is new is compared later')
      this.#mustRead = true
    }
    void this.#tell()
  }

  noteClear(): void {
    this.#untold.noteClear()
    void this.#tell()
  }

  /** The sum once Redis has added; null if it does not say so in time: then it is added later. */
  added(key: string, amount: number, renews: boolean): Promise<number | null> {
    return new Promise((resolve) => {
      const { clock } = this.#world
      const timer = clock.schedule(limits.redisDeadlineMilliseconds, () => resolve(null))
      const settle = (sum: number | null) => {
        timer.cancel()
        resolve(sum)
      }
      this.note(key, 'add', amount, renews, { upTo: amount, settle })
      if (!this.#isInStep || this.#owes) settle(null)
    })
  }

  /** After a sweep of the table. */
  swept(ended: readonly { readonly key: string }[]): void {
    this.#replica.forget(ended, this.#world.clock.now(), this.#isReading)
  }

  /** When the table has been read for the first time, or after so long. */
  ready(withinMs: number): Promise<void> {
    return this.#until(() => this.#isInStep, withinMs)
  }

  /** Tells what there is to tell, for a moment. */
  async close(): Promise<void> {
    await this.#until(() => !this.#isInStep || this.untold === 0, limits.redisCloseMilliseconds)
    this.#isClosed = true
    this.#isInStep = false
    this.#forgetState()
    this.#subscription.end()
  }

  #linkIs(state: 'up' | 'down'): void {
    this.#isInStep = false
    this.#mustRead = true
    if (state === 'up') void this.#read()
  }

  #miss(): void {
    this.#gaps++
    this.#mustRead = true
    this.#isInStep = false
    void this.#read()
  }

  #hear(octets: Buffer): void {
    const message = readMessage(octets)
    if (message === undefined) return
    if (message.epoch !== this.#epoch) {
      this.#miss()
      return
    }
    if (message.version > this.#heard) {
      if (this.#heard >= 0 && message.before !== this.#heard) this.#miss()
      this.#heard = message.version
    }
    if (message.origin !== this.#world.origin) this.#receive(message)
  }

  #receive({ items }: Message): void {
    for (const item of items) if (!this.#replica.receive(item)) this.#world.events.add(1, 'no_room')
    this.#world.events.add(items.length, 'heard')
  }

  // Reading the whole table.

  async #read(): Promise<void> {
    if (this.#isReading) return
    this.#isReading = true
    while (this.#mustRead && this.#canRead()) {
      this.#mustRead = false
      if (await this.#readOnce()) continue
      this.#mustRead = true
      await this.#pause(limits.htableRetryMilliseconds)
    }
    this.#isReading = false
    this.#changed()
    void this.#tell()
  }

  #canRead(): boolean {
    return !this.#isClosed && this.#redis.state === 'up' && this.#subscription.isLive
  }

  async #readOnce(): Promise<boolean> {
    const joined = await this.#redis.run(joinScript, [this.#keys.meta], [this.#world.newEpoch()], patientMs)
    if (joined.status !== 'ok') return false
    const { epoch, version } = joined.value
    this.#owes ||= this.#untold.isOverflown || (this.#epoch !== '' && this.#epoch !== epoch)
    const hasMissed =
      this.#gapsRead !== this.#gaps || this.#owes || this.#epoch !== epoch || this.#heard !== version
    if (!hasMissed) return this.#beInStep()
    const gaps = this.#gaps
    this.#begin(epoch)
    if (!(await this.#readPages(epoch))) return false
    if (this.#heard < 0) this.#heard = version
    if (this.#mustRead) return true
    this.#beInStep()
    if (await this.#compare(version)) this.#gapsRead = gaps
    return true
  }

  #begin(epoch: string): void {
    const hasLost = this.#epoch !== '' && this.#epoch !== epoch
    this.#epoch = epoch
    this.#heard = -1
    this.#replica.beginRound()
    if (!hasLost) return
    const { underWay } = this.#replica
    this.#replica.underWay = null
    if (underWay !== null) this.#untold.giveBack(underWay)
    this.#untold.setSums()
    this.#replica.tellRemovals()
  }

  async #readPages(epoch: string): Promise<boolean> {
    let cursor = '0'
    do {
      const { data, meta } = this.#keys
      const page = await this.#redis.run(
        pageScript,
        [data, meta],
        [cursor, limits.htablePageEntries],
        patientMs,
      )
      if (page.status !== 'ok' || page.value.epoch !== epoch || this.#isClosed) return false
      for (const item of page.value.items) {
        if (!this.#replica.load(item)) this.#world.events.add(1, 'no_room')
      }
      cursor = page.value.cursor
    } while (cursor !== '0' && !this.#mustRead)
    return true
  }

  /** What is here and was in no page: Redis gets it back, or it goes. Some at a time, as Redis takes it. False: not all. */
  async #compare(joinedAt: number): Promise<boolean> {
    let seen = 0
    let returned = 0
    for (const [key] of this.#table.live()) {
      if (this.#replica.judge(key, joinedAt, this.#owes) === 'lost') {
        this.#untold.note(key, 'restore', 0, false)
        returned++
      }
      if (++seen % entriesAtOnce !== 0) continue
      await this.#pause(0)
      await this.#roomToTell()
      if (this.#mustRead || this.#isClosed) return false
    }
    this.#owes = false
    this.#untold.forgetOverflow()
    this.#world.events.add(1, 'read')
    this.#world.events.add(returned, 'put_back')
    const { name } = this.#table.definition
    this.#log().info({ entries: this.#table.size, returned }, `table ${name} is in step with other edges`)
    void this.#tell()
    return true
  }

  async #roomToTell(): Promise<void> {
    while (this.#untold.size > limits.htableUntoldMax / 2 && this.#isInStep) {
      void this.#tell()
      await this.#pause(limits.htableRetryMilliseconds)
    }
  }

  #beInStep(): true {
    this.#isInStep = true
    this.#changed()
    void this.#tell()
    return true
  }

  // Telling.

  async #tell(): Promise<void> {
    if (this.#isTelling || !this.#isInStep) return
    this.#isTelling = true
    // All that a script writes in one go is one batch.
    await Promise.resolve()
    while (this.#isInStep && !this.#isClosed && this.#hasBatch()) {
      const told = this.#replica.told()
      const waitMs = this.#judge(await this.#tellBatch(told), told.length)
      if (waitMs > 0) await this.#pause(waitMs)
    }
    this.#isTelling = false
    this.#changed()
    // Too much had been written: now there is room to compare.
    if (this.#mustRead) void this.#read()
  }

  #hasBatch(): boolean {
    if (this.#replica.underWay !== null) return true
    if (this.#untold.size === 0) return false
    this.#replica.underWay = this.#untold.take()
    this.#batchNumber++
    return true
  }

  #tellBatch(told: readonly (readonly string[])[]): Promise<RedisResult<ChangeAnswer>> {
    const { data, due, meta, from } = this.#keys
    const head = [this.#world.origin, String(this.#batchNumber), this.#channel, this.#epoch]
    return this.#redis.run(changeScript, [data, due, meta, from], [...head, ...told.flat()])
  }

  /** What becomes of the batch; how long to wait before the next attempt. */
  #judge(result: RedisResult<ChangeAnswer>, count: number): number {
    const batch = this.#replica.underWay
    if (batch === null) return 0
    if (result.status === 'ok') {
      this.#failures = 0
      if (result.value.isOtherEpoch) {
        this.#replica.underWay = null
        this.#untold.giveBack(batch)
        this.#miss()
      } else {
        this.#replica.confirm(result.value.version, result.value.results)
        this.#world.events.add(count, 'told')
      }
      return 0
    }
    if (result.status !== 'refused') {
      // A batch that was made before is answered with what the entries are by then: nobody's sum.
      giveUp(batch)
      return limits.htableRetryMilliseconds
    }
    // What Redis will not take on another day either must not hold up the rest.
    if (lasting.has(result.code) && ++this.#failures >= failuresMax) {
      this.#failures = 0
      this.#replica.underWay = null
      giveUp(batch)
      this.#world.events.add(count, 'dropped')
      this.#log().error({ code: result.code, reason: result.message, count }, 'redis takes no such change')
    }
    return limits.htableRefusedMilliseconds
  }

  #log(): Log {
    return this.#world.log.child({ table: this.#table.definition.name, redis: this.#redis.description })
  }

  #changed(): void {
    for (const listener of [...this.#onChange]) listener()
  }

  #pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => void this.#world.clock.schedule(milliseconds, resolve))
  }

  #until(isSo: () => boolean, withinMs: number): Promise<void> {
    if (isSo()) return Promise.resolve()
    return new Promise((resolve) => {
      const end = () => {
        timer.cancel()
        this.#onChange = this.#onChange.filter((one) => one !== look)
        resolve()
      }
      const look = () => {
        if (isSo()) end()
      }
      const timer = this.#world.clock.schedule(withinMs, end)
      this.#onChange.push(look)
    })
  }
}

export interface SharingWorld {
  readonly clock: Clock
  readonly log: Log
  readonly events: Counter
  /** Names this router among all, from its start to its end. */
  readonly origin: string
  newEpoch(): string
}

interface ChangeAnswer {
  readonly isOtherEpoch: boolean
  readonly version: number
  readonly results: readonly string[]
}

/** A page, or joining, is nobody's to wait for. */
const patientMs = 2_000

/** Entries that are looked at before others have their turn: some hundred microseconds. */
const entriesAtOnce = 1_000

const failuresMax = 3

const lasting: ReadonlySet<string> = new Set(['ERR', 'reply', 'size', 'keys', 'WRONGTYPE', 'NOPERM'])

/** Whoever waits for a sum of this batch goes on without. */
function giveUp({ changes }: Batch): void {
  for (const change of changes.values()) {
    settleAll(change.waiters)
    change.waiters = null
  }
}

/** Channels are those of all databases of a Redis: tables of one name in two of them must not hear each other. */
function databaseOf({ description }: Redis): string {
  return /\/(\d+)$/.exec(description)?.[1] ?? '0'
}
