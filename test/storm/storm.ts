import { resolve } from 'node:path'
import { acceptScript, type Server } from '../../src/server.ts'
import {
  type CollectingLog,
  collectingLog,
  type SimulatedClock,
  seededRandom,
  simulatedClock,
} from '../../src/testing/index.ts'
import { Calendar } from './calendar.ts'
import { workMicroseconds } from './costs.ts'
import { Device, type Ended } from './device.ts'
import { SlowEdge } from './slow-edge.ts'

/**
 * Ten edges, each with devices that it knows and that keep it half busy; the tenth has a hundred thousand more, and dies. They
 * come back at the others, each when it notices. What the others' processors have left is less than that takes.
 */
export interface StormOptions {
  /** All of them. */
  readonly edges: number
  /** Devices of the edge that dies. */
  readonly devices: number
  /** In so many seconds they have all noticed. */
  readonly withinSeconds: number
  /** Devices that each of the others knows. */
  readonly knownPerEdge: number
  /** The share of its processor that an edge needs for whom it knows. */
  readonly knownShare: number
  /** What all newcomers of an edge would need of what is left of it, if none had to wait: above 1 they do not fit. */
  readonly excess: number
  /**
   * Who takes over. `dns`: each device chooses one of the nine. `anycast`: the network leads them to the three that are
   * nearest, half of them to one.
   */
  readonly takenOver: 'dns' | 'anycast'
  readonly shed: boolean
  /** Seconds after which it is over, whatever has become of them. */
  readonly secondsMax: number
  readonly seed?: number
}

export interface Known {
  readonly asked: number
  readonly answered: number
  /** How many got which other answer; 408: none. */
  readonly others: ReadonlyMap<number, number>
  /** Milliseconds: half, 99 of 100, all were answered within. */
  readonly p50: number
  readonly p99: number
  readonly worst: number
}

export interface StormOutcome {
  readonly slowness: number
  /** During the storm and until the last newcomer was registered. */
  readonly known: Known
  readonly knownRefused: number
  /** Calls that ended with a BYE that nobody answered. */
  readonly callsLost: number
  /** Seconds from the first newcomer until 50, 99 and 100 of 100 were registered; Infinity: they were not. */
  readonly registered: { readonly half: number; readonly most: number; readonly all: number }
  readonly isAllRegistered: boolean
  /** How many were told to come again after so many seconds. */
  readonly retryAfter: ReadonlyMap<number, number>
  /** How many newcomers were turned away so many times. */
  readonly refusals: ReadonlyMap<number, number>
  readonly edges: readonly {
    readonly dropped: number
    readonly longestQueue: number
    readonly overloads: number
  }[]
  /** Lines of the log at `warn` and above. */
  readonly log: readonly string[]
}

/** Seconds of quiet traffic before and after. */
const calmSeconds = 5
/** The shares of the anycast's three nearest. */
const nearest = [0.5, 0.3, 0.2]

export async function playStorm(options: StormOptions): Promise<StormOutcome> {
  const storm = new Storm(options)
  await storm.start()
  try {
    return await storm.play()
  } finally {
    await storm.stop()
  }
}

class Storm {
  readonly #options: StormOptions
  readonly #clock: SimulatedClock = simulatedClock()
  readonly #calendar = new Calendar(this.#clock)
  readonly #random
  readonly #log: CollectingLog = collectingLog('warn')
  readonly #slowness: number
  readonly #edges: SlowEdge[]
  readonly #servers: Server[] = []
  readonly #byAddress = new Map<string, Device>()
  readonly #known: Device[][] = []
  readonly #newcomers = new Set<Device>()
  readonly #delays: number[] = []
  readonly #registeredAt: number[] = []
  readonly #retryAfter = new Map<number, number>()
  #asked = 0
  readonly #others = new Map<number, number>()
  readonly #byes: number[] = []
  #knownRefused = 0
  #names = 0
  /** What begins in between is measured. */
  #beganAt = Number.POSITIVE_INFINITY
  #endedAt = Number.POSITIVE_INFINITY

  constructor(options: StormOptions) {
    this.#options = options
    this.#random = seededRandom(options.seed ?? 1)
    this.#slowness = slownessFor(options)
    this.#edges = Array.from(
      { length: options.edges },
      (_, n) =>
        new SlowEdge({
          address: `192.0.2.${n + 1}`,
          clock: this.#clock,
          seed: n + 1,
          slowness: this.#slowness,
          bufferMax,
          log: this.#log,
          deliver: (text, to) => this.#byAddress.get(to.address)?.receives(text),
        }),
    )
  }

  async start(): Promise<void> {
    const path = resolve(import.meta.dirname, 'storm.cfg')
    const accepted = await acceptScript({
      script: { path },
      ...(this.#options.shed && { defines: new Map([['SHED', '1']]) }),
    })
    for (const edge of this.#edges) this.#servers.push(await edge.start(accepted))
  }

  async stop(): Promise<void> {
    for (const server of this.#servers) await server.stop()
  }

  async play(): Promise<StormOutcome> {
    const { knownPerEdge, devices, withinSeconds, secondsMax } = this.#options
    await this.#registerKnown(knownPerEdge)
    for (let edge = 0; edge < this.#options.edges - 1; edge++) this.#keepBusy(edge)
    await this.#clock.advance(calmSeconds * 1000)
    // The tenth is gone: nobody answers there, and what its devices had is unknown elsewhere.
    this.#beganAt = this.#clock.now()
    for (let n = 0; n < devices; n++) {
      const device = this.#device(`n${n}`, n + 1, 10, this.#edges[this.#takenOverBy()])
      this.#newcomers.add(device)
      this.#calendar.in(this.#random.integer(withinSeconds * 1000), () => device.registers())
    }
    const end = this.#beganAt + secondsMax * 1000
    while (this.#clock.now() < end && this.#registeredAt.length < devices) await this.#clock.advance(1_000)
    await this.#clock.advance(calmSeconds * 1000)
    this.#endedAt = this.#clock.now()
    // What was asked last is answered, or never.
    await this.#clock.advance(40_000)
    return this.#outcome()
  }

  #device(user: string, n: number, network: number, edge: SlowEdge | undefined): Device {
    if (edge === undefined) throw new Error('no such edge')
    const device = new Device(user, `${network}.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}`, edge, {
      calendar: this.#calendar,
      now: () => this.#clock.now(),
      next: () => ++this.#names,
      ended: (ended, what) => this.#ended(ended, what),
      refused: (refused, seconds) => this.#refused(refused, seconds),
    })
    this.#byAddress.set(device.at.address, device)
    return device
  }

  /** Slowly enough for nobody to be turned away. */
  async #registerKnown(count: number): Promise<void> {
    const spacingMs = (workMicroseconds.registration * this.#slowness * 2) / 1000
    for (let edge = 0; edge < this.#options.edges - 1; edge++) {
      const network = 11 + edge
      const known = Array.from({ length: count }, (_, n) =>
        this.#device(`k${edge}-${n}`, n + 1, network, this.#edges[edge]),
      )
      for (const [n, device] of known.entries()) this.#calendar.in(n * spacingMs, () => device.registers())
      this.#known.push(known)
    }
    await this.#clock.advance(count * spacingMs + 10_000)
    if (this.#known.flat().some(({ isRegistered }) => !isRegistered))
      throw new Error('not all are registered')
  }

  /** Messages, calls and refreshes, at random times. */
  #keepBusy(edge: number): void {
    const known = this.#known[edge] ?? []
    const some = () => known[this.#random.integer(known.length)] as Device
    const meanMs = (mixMicroseconds * this.#slowness) / this.#options.knownShare / 1000
    const next = () => {
      if (!this.#isMeasured(this.#clock.now()) && this.#clock.now() > this.#beganAt) return
      const kind = this.#random.integer(mix.length)
      const device = some()
      if (mix[kind] === 'call') device.calls(some())
      else if (mix[kind] === 'refresh' && !device.isRegistering) device.registers()
      else device.sendsTo(some())
      if (this.#isMeasured(this.#clock.now())) this.#asked++
      this.#calendar.in(-Math.log(1 - this.#random.integer(10_000) / 10_000) * meanMs, next)
    }
    next()
  }

  #takenOverBy(): number {
    if (this.#options.takenOver === 'dns') return this.#random.integer(this.#options.edges - 1)
    let drawn = this.#random.integer(1_000) / 1_000
    return Math.max(
      nearest.findIndex((share) => {
        drawn -= share
        return drawn < 0
      }),
      0,
    )
  }

  #ended(device: Device, { method, status, milliseconds }: Ended): void {
    if (this.#newcomers.has(device)) {
      if (method === 'REGISTER' && status === 200 && !device.isRegistered) {
        this.#registeredAt.push(this.#clock.now() - this.#beganAt)
      }
      return
    }
    if (method === 'BYE') this.#byes.push(status)
    else if (status === 200 && this.#isMeasured(this.#clock.now() - milliseconds))
      this.#delays.push(milliseconds)
  }

  #isMeasured(began: number): boolean {
    return began > this.#beganAt && began <= this.#endedAt
  }

  #refused(device: Device, seconds: number): void {
    if (!this.#newcomers.has(device)) this.#knownRefused++
    else this.#retryAfter.set(seconds, (this.#retryAfter.get(seconds) ?? 0) + 1)
  }

  #outcome(): StormOutcome {
    const { devices } = this.#options
    const at = this.#registeredAt.toSorted((a, b) => a - b)
    const within = (share: number) =>
      Math.round((at[Math.ceil(devices * share) - 1] ?? Number.POSITIVE_INFINITY) / 100) / 10
    const refusals = new Map<number, number>()
    for (const { refusals: times } of this.#newcomers) refusals.set(times, (refusals.get(times) ?? 0) + 1)
    return {
      slowness: this.#slowness,
      known: {
        asked: this.#asked,
        answered: this.#delays.length,
        others: this.#others,
        ...quantiles(this.#delays),
      },
      knownRefused: this.#knownRefused,
      callsLost: this.#byes.filter((status) => status !== 200).length,
      registered: { half: within(0.5), most: within(0.99), all: within(1) },
      isAllRegistered: at.length === devices,
      retryAfter: new Map([...this.#retryAfter].toSorted(([a], [b]) => a - b)),
      refusals: new Map([...refusals].toSorted(([a], [b]) => a - b)),
      edges: this.#edges.slice(0, -1).map(({ dropped, longestQueue }, n) => ({
        dropped,
        longestQueue,
        overloads:
          this.#servers[n]?.metrics.samples().find(({ name }) => name === 'viaduct_overloads_total')?.value ??
          0,
      })),
      log: this.#log.lines.map(({ level, message }) => `${level} ${message}`),
    }
  }
}

/** Datagrams that wait in 208 KiB, which is what Linux gives to a socket unless it is told otherwise: docs/operations.md. */
const bufferMax = 150
const mix = ['message', 'message', 'message', 'message', 'message', 'message', 'call', 'refresh'] as const
const mixMicroseconds =
  (6 * workMicroseconds.message + workMicroseconds.call + workMicroseconds.registration) / mix.length

/** So slow a processor that newcomers need `excess` times what whom it knows leaves. */
function slownessFor(options: StormOptions): number {
  const share = options.takenOver === 'dns' ? 1 / (options.edges - 1) : (nearest[0] ?? 1)
  const perSecond = (options.devices * share) / options.withinSeconds
  return ((1 - options.knownShare) * options.excess * 1e6) / (perSecond * workMicroseconds.registration)
}

function quantiles(delays: readonly number[]): Pick<Known, 'p50' | 'p99' | 'worst'> {
  const sorted = delays.toSorted((a, b) => a - b)
  const of = (share: number) => Math.round(sorted[Math.ceil(sorted.length * share) - 1] ?? 0)
  return { p50: of(0.5), p99: of(0.99), worst: of(1) }
}
