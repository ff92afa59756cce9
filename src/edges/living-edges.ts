import { limits } from '../limits.ts'
import { octetsOf } from '../location/binding-codec.ts'
import type { Owner } from '../location/shared-table.ts'
import type { Redis, Subscription } from '../redis/redis.ts'
import type { Timer } from '../runtime/clock.ts'
import { hostWithoutBrackets, parseUri } from '../sip/uri.ts'
import { canonicalAddress } from '../transport/address.ts'
import { type Beat, type BeatenEdge, beatScript, edgesChannel, edgesKey } from './beat-script.ts'
import type { EdgeState, Edges, EdgesHost, EdgesOptions } from './edges.ts'
import { floorsOf, KnownEdge, nothingTold } from './known-edge.ts'
import { RedisTime } from './redis-time.ts'

/** What this edge is in Redis now: in which epoch, and which of its processes. */
export interface Standing {
  readonly epoch: string
  readonly life: number
}

/** What of a directory of bindings shows in the metrics. */
export interface Told {
  readonly table: string
  /** Addresses-of-record of which others are to be told yet. */
  untoldCount(): number
}

/**
 * Edges over Redis. The first worker beats; the others look as often. Both learn at once of what is new: a channel says
 * when somebody comes, goes, drains or has told all that it owns.
 */
export class LivingEdges implements Edges {
  readonly self: { readonly name: string; readonly uri: string }
  readonly time: RedisTime
  readonly #redis: Redis
  readonly #host: EdgesHost
  readonly #heartbeatMs: number
  readonly #isHeart: boolean
  /** The same for all workers of one process, another one for each process. */
  readonly #instance: string
  readonly #known = new Map<string, KnownEdge>()
  readonly #listeners = new Set<() => void>()
  readonly #standingListeners = new Set<(standing: Standing | null) => void>()
  readonly #directories = new Set<Told>()
  readonly #subscription: Subscription
  readonly #forgetState: () => void
  #floors: Record<string, unknown> = {}
  #addresses = new Set<string>()
  #standing: Standing | null = null
  /** The last that was had: an epoch that follows another one means that data was lost. */
  #former: Standing | null = null
  #secret: Buffer | null = null
  #isDraining = false
  /** What Redis has of this process has been read: it may be a worker that follows a dead one. */
  #hasLooked = false
  #isTaken = false
  #isAsking = false
  #asksAgain = false
  #isClosed = false
  /** When Redis answered last, and until when nobody dies of silence. */
  #heardAt = 0
  #graceUntil = 0
  #timer: Timer | null = null

  constructor(redis: Redis, host: EdgesHost, options: EdgesOptions) {
    const { workers, random, clock, metrics } = host
    this.self = { name: octetsOf(options.name), uri: options.uri }
    this.time = new RedisTime(clock)
    this.#redis = redis
    this.#host = host
    this.#heartbeatMs = options.heartbeatMs ?? limits.edgeHeartbeatMilliseconds
    this.#isHeart = workers.index === 0
    this.#instance =
      workers.count > 1 ? Buffer.from(workers.sharedKey('edges')).toString('hex') : random.hex(16)
    const own = this.#edgeOf(this.self.name)
    own.uri = options.uri
    this.#noteAddresses()
    metrics.gauge(
      'viaduct_edges_alive',
      'Edges of the location that live, this one too, as Redis said last.',
      () => this.all().filter(({ isAlive }) => isAlive).length,
      true,
    )
    metrics.gauge(
      'viaduct_edges_untold',
      'Addresses-of-record of which the other edges are to be told yet.',
      () => {
        let count = 0
        for (const directory of this.#directories) count += directory.untoldCount()
        return count
      },
    )
    workers.onTold('edges', (value) => this.#hear(value))
    this.#forgetState = redis.onState((state) => {
      if (state === 'up') this.#ask()
    })
    this.#subscription = redis.subscribe(edgesChannel, {
      onMessage: () => this.#ask(),
      onGap: () => this.#ask(),
    })
    this.#beat()
  }

  get isDraining(): boolean {
    return this.#isDraining
  }

  get secret(): Buffer | null {
    return this.#secret
  }

  /** Null until Redis knows of this edge: what is to be told waits for it. */
  get standing(): Standing | null {
    return this.#standing
  }

  /** Whether this worker does what the edge does once. */
  get isHeart(): boolean {
    return this.#isHeart
  }

  owner(name: string): Owner {
    return this.#edgeOf(name)
  }

  all(): readonly EdgeState[] {
    return [...this.#known.values()].filter(({ silentMs, isSelf }) => isSelf || Number.isFinite(silentMs))
  }

  suspect(name: string): void {
    this.#host.workers.tell('edges', { suspect: name })
    this.#suspect(name)
  }

  isEdgeAddress(address: string, port: number): boolean {
    return this.#addresses.has(`${canonicalAddress(address)} ${port}`)
  }

  drain(on: boolean): void {
    this.#host.workers.tell('edges', { drain: on })
    this.#drain(on)
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Called when this edge begins to stand, in another epoch or life, or stands no more. */
  onStanding(listener: (standing: Standing | null) => void): () => void {
    this.#standingListeners.add(listener)
    return () => this.#standingListeners.delete(listener)
  }

  /** Whether what that edge bound in that life is there still. */
  isCurrent(name: string, table: string, life: number): boolean {
    return this.#known.get(name)?.isCurrent(table, life) ?? true
  }

  /** All that this edge owns of the table has been told in this life: what the directory has of lives before is gone. */
  settle(table: string, life: number): void {
    if (this.#floors[table] === life) return
    this.#floors = { ...this.#floors, [table]: life }
    this.#ask()
  }

  /** From which life on bindings of this edge are there. */
  ownFloor(table: string): number {
    const floor = this.#floors[table]
    return typeof floor === 'number' ? floor : 0
  }

  /** Whether the directory has all that the edges own that live, as far as they have it. */
  haveToldAll(table: string): boolean {
    for (const edge of this.#known.values()) {
      if (edge.isAlive && !edge.isSelf && edge.isTelling(table)) return false
    }
    return true
  }

  /** It begins with nothing told. */
  include(directory: Told): () => void {
    this.#directories.add(directory)
    if (this.#floors[directory.table] === undefined)
      this.#floors = { ...this.#floors, [directory.table]: null }
    return () => this.#directories.delete(directory)
  }

  /** The goodbye is on its way: a link that is closed waits for what was sent. */
  close(): Promise<void> {
    if (this.#isClosed) return Promise.resolve()
    this.#isClosed = true
    this.#timer?.cancel()
    this.#forgetState()
    this.#subscription.end()
    this.#listeners.clear()
    this.#standingListeners.clear()
    if (this.#isHeart && this.#standing !== null) void this.#say('bye')
    return Promise.resolve()
  }

  #beat(): void {
    this.#timer = this.#host.clock.schedule(this.#heartbeatMs, () => this.#beat())
    this.#ask()
  }

  /** One at a time; what comes meanwhile asks once more when it is answered. */
  #ask(): void {
    if (this.#isClosed || this.#redis.state === 'down') return
    if (this.#isAsking) this.#asksAgain = true
    else void this.#askNow()
  }

  async #askNow(): Promise<void> {
    this.#isAsking = true
    this.#asksAgain = false
    const askedAt = this.#host.clock.now()
    const isBeat = this.#isHeart && this.#hasLooked
    const result = await this.#say(isBeat ? 'beat' : 'look')
    this.#isAsking = false
    if (this.#isClosed) return
    if (result.status === 'ok') this.#learn(result.value, askedAt)
    if (result.status === 'ok' && this.#isHeart && !isBeat) this.#asksAgain = true
    if (this.#asksAgain) this.#ask()
  }

  #say(kind: 'beat' | 'look' | 'bye') {
    const { random } = this.#host
    return this.#redis.run(
      beatScript,
      [edgesKey],
      [
        ...[kind, this.self.name, this.self.uri, this.#instance, this.#former?.life ?? 0],
        ...[this.#heartbeatMs, this.#isDraining ? '1' : '0', JSON.stringify(this.#floors)],
        ...[random.hex(8), this.#secret ?? Buffer.from(random.bytes(32)), edgesChannel],
        ...[limits.edgeHeartbeatsMissedMax, limits.edgeForgottenMilliseconds],
        ...[this.#former?.epoch ?? '', JSON.stringify(nothingTold(this.#floors))],
      ],
    )
  }

  #learn(beat: Beat, askedAt: number): void {
    if (this.#former !== null && beat.epoch !== this.#former.epoch) this.#beginEpoch()
    this.#noteSilence(askedAt)
    this.time.measure(beat.redisNow, askedAt)
    this.#secret = beat.secret
    const own = beat.edges.find(({ name }) => name === this.self.name)
    const isOurs = own?.instance === this.#instance
    if (!this.#hasLooked || !this.#isHeart) this.#takeOver(isOurs ? own : undefined)
    this.#hasLooked = true
    let isNews = false
    for (const edge of beat.edges) isNews = this.#note(edge, beat.redisNow) || isNews
    const names = new Set(beat.edges.map(({ name }) => name))
    for (const edge of this.#known.values()) {
      if (!names.has(edge.name) && !this.#isGraceful && edge.isAlive && edge.vanish()) {
        this.#sayLife(edge)
        isNews = true
      }
    }
    if (isNews) this.#changed()
    this.#stand(isOurs ? { epoch: beat.epoch, life: own.life } : null, own)
  }

  /** What was told is lost, whoever told it; clocks that were measured are another Redis'. */
  #beginEpoch(): void {
    this.time.restart()
    this.#grantGrace()
    for (const edge of this.#known.values()) edge.forgetTold()
    this.#floors = nothingTold(this.#floors)
  }

  /** After a silence of Redis' own nobody is dead who has had no time to beat again. */
  #noteSilence(askedAt: number): void {
    if (this.#heardAt > 0 && askedAt - this.#heardAt > 2 * this.#heartbeatMs) this.#grantGrace()
    this.#heardAt = this.#host.clock.now()
  }

  #grantGrace(): void {
    this.#graceUntil = this.#host.clock.now() + limits.edgeHeartbeatsMissedMax * this.#heartbeatMs
  }

  get #isGraceful(): boolean {
    return this.#host.clock.now() < this.#graceUntil
  }

  /** What the worker before this one, or the first one, has said. */
  #takeOver(own: BeatenEdge | undefined): void {
    if (own === undefined) return
    this.#floors = floorsOf(own.floors)
    if (own.isDraining !== this.#isDraining) this.#setDraining(own.isDraining)
  }

  #note(beaten: BeatenEdge, redisNow: number): boolean {
    const edge = this.#edgeOf(beaten.name)
    const { isAlive } = edge
    const isNews = edge.learn(beaten, redisNow, limits.edgeHeartbeatsMissedMax, this.#isGraceful)
    if (edge.isSelf) edge.isDraining = this.#isDraining
    if (isAlive !== edge.isAlive) this.#sayLife(edge)
    return isNews
  }

  #sayLife(edge: KnownEdge): void {
    if (!this.#isHeart) return
    const { log } = this.#host
    const fields = { edge: edge.name, uri: edge.uri }
    if (edge.isAlive) log.info(fields, 'an edge is there')
    else if (edge.isGone) log.info(fields, 'an edge has said goodbye')
    else log.warn({ ...fields, silentMs: edge.silentMs }, 'an edge is dead: what only it can reach is cold')
  }

  #stand(standing: Standing | null, own: BeatenEdge | undefined): void {
    const { log } = this.#host
    const { name } = this.self
    const former = this.#former
    const isTaken = standing === null && former !== null && own !== undefined
    if (isTaken && !this.#isTaken && this.#isHeart)
      log.error(
        { edge: name },
        'another process has the name of this edge: nothing is shared until one of them has another edge_name',
      )
    this.#isTaken = isTaken
    const before = this.#standing
    this.#standing = standing
    if (standing?.epoch === before?.epoch && standing?.life === before?.life) return
    if (standing !== null) {
      if (this.#isHeart && former === null)
        log.info({ edge: name, uri: this.self.uri }, 'this edge shares its bindings')
      else if (this.#isHeart && former !== null && former.epoch !== standing.epoch)
        log.warn({ edge: name }, 'redis has lost its data: all that this edge owns is told again')
      this.#former = standing
    }
    for (const listener of [...this.#standingListeners]) listener(standing)
  }

  #edgeOf(name: string): KnownEdge {
    const existing = this.#known.get(name)
    if (existing !== undefined) return existing
    const created = new KnownEdge(name, name === this.self.name)
    if (this.#known.size < limits.edgesMax) this.#known.set(name, created)
    return created
  }

  /** What another worker has said. */
  #hear(value: unknown): void {
    if (typeof value !== 'object' || value === null) return
    if ('suspect' in value && typeof value.suspect === 'string') this.#suspect(value.suspect)
    if ('drain' in value && typeof value.drain === 'boolean') this.#drain(value.drain)
  }

  #suspect(name: string): void {
    const edge = this.#known.get(name)
    if (edge === undefined || edge.isSelf) return
    edge.suspectedAt = this.time.of(this.#host.clock.now())
    if (!edge.isAlive) return
    edge.isAlive = false
    this.#sayLife(edge)
    this.#changed()
  }

  #drain(on: boolean): void {
    if (on === this.#isDraining) return
    this.#setDraining(on)
    this.#ask()
  }

  #setDraining(on: boolean): void {
    this.#isDraining = on
    this.#edgeOf(this.self.name).isDraining = on
    this.#changed()
  }

  #changed(): void {
    this.#noteAddresses()
    for (const listener of [...this.#listeners]) listener()
  }

  #noteAddresses(): void {
    this.#addresses = new Set()
    for (const { uri } of this.#known.values()) {
      const parsed = uri === '' ? null : parseUri(uri)
      if (parsed === null) continue
      this.#addresses.add(`${canonicalAddress(hostWithoutBrackets(parsed.host))} ${parsed.port || 5060}`)
    }
  }
}
