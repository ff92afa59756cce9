import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../src/runtime/clock.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { openStore } from '../../src/store/open-store.ts'
import { Caller, chosenSeed, pause, request, seeded } from './caller.ts'
import { Lab } from './lab.ts'
import { freePort } from './oracle.ts'
import { type Router, startRouter } from './router.ts'

/**
 * kill -9 while everything that the store keeps is changed at once: registrations, refreshes, removals, learnings, messages
 * stored and messages delivered. After each kill what is there is compared with what was acknowledged. So many requests
 * as VIADUCT_KILLS says; 100,000 take some minutes.
 */
const requestsMax = Number(process.env['VIADUCT_KILLS'] || 8_000)
const seed = chosenSeed()
const random = seeded(seed)

const usersCount = 1_500
const sockets = 20
const devicesPerSocket = 10
/** Requests without an answer at any time. */
const outstandingMax = 48
/** Milliseconds after which a learning, which nobody is promised, has long been written. */
const learningSettles = 500
/** Milliseconds of life: at least, and by chance more. */
const lifeMin = 200
const lifeChance = 1_200

/** A binding as it was acknowledged: two lifetimes, so that a refresh can be told from what was there before. */
interface Bound {
  readonly contact: string
  readonly expires: number
  /** When the router was asked. */
  readonly at: number
}

interface Device {
  readonly aor: string
  readonly caller: Caller
  /** When its MESSAGE was answered first; infinite: never. */
  learnedAt: number
}

describe(`kill -9 during ${requestsMax} requests (VIADUCT_SEED=${seed})`, { timeout: 1_800_000 }, () => {
  let lab: Lab
  let world: World
  beforeEach(async () => {
    lab = new Lab()
    world = await World.open(lab)
  })
  afterEach(async () => {
    world.close()
    await lab.close()
  })
  afterAll(() => process.stdout.write(`${world.figures()}\n`))

  test('nothing acknowledged is lost, nothing removed comes back, nothing comes twice without saying so', async () => {
    await world.start()
    while (world.requests < requestsMax) {
      await world.live()
      await world.killAndRestart()
      await world.compare()
    }
    await world.deliverAll()

    expect(world.lost).toEqual([])
    const { missing, unmarked } = world.outbox()
    expect({ missing, unmarked }).toEqual({ missing: [], unmarked: [] })
    expect(world.errors).toEqual([])
    expect(Math.max(...world.openings)).toBeLessThan(2_000)
    // There was something to lose.
    expect(world.kills).toBeGreaterThan(1)
    expect(Math.min(...Object.values(world.counts))).toBeGreaterThan(requestsMax / 100)
  })
})

class World {
  readonly counts = { registrations: 0, refreshes: 0, removals: 0, learnings: 0, stored: 0, delivered: 0 }
  readonly lost: string[] = []
  readonly errors: string[] = []
  /** Milliseconds that the store took to open, with all its pages verified, after each kill. */
  readonly openings: number[] = []
  kills = 0
  requests = 0
  compared = 0
  readonly #lab: Lab
  readonly #caller: Caller
  readonly #devices: readonly Device[]
  readonly #callers: readonly Caller[]
  readonly #port = freePort()
  readonly #data: string
  #router: Router | null = null
  /** What 200 was said to last; absent: nothing, or removed. */
  readonly #told = new Map<string, Bound>()
  /** Sent, and not answered: both states will do. */
  #open = new Map<string, Bound | null>()
  readonly #promised = new Map<string, Set<string>>()
  readonly #sent = new Set<string>()
  #outstanding = 0

  private constructor(lab: Lab, caller: Caller, callers: readonly Caller[]) {
    this.#lab = lab
    this.#caller = caller
    this.#callers = callers
    this.#data = join(lab.directory, 'data')
    this.#devices = callers.flatMap((one, i) =>
      Array.from({ length: devicesPerSocket }, (_, k) => ({
        aor: `${2000 + i * devicesPerSocket + k}`,
        caller: one,
        learnedAt: Number.POSITIVE_INFINITY,
      })),
    )
  }

  static async open(lab: Lab): Promise<World> {
    const callers = await Promise.all(Array.from({ length: sockets }, () => Caller.open()))
    return new World(lab, await Caller.open(), callers)
  }

  close(): void {
    this.#caller.close()
    for (const caller of this.#callers) caller.close()
  }

  async start(): Promise<void> {
    // The same port again: what was learned hangs on the socket that the device spoke to.
    this.#router = await startRouter(this.#lab, 'test/wire/scripts/learning.cfg', {
      data: this.#data,
      port: this.#port,
    })
  }

  /** Requests of all kinds, until a moment that nobody chose. */
  async live(): Promise<void> {
    const until = performance.now() + lifeMin + random() * lifeChance
    while (performance.now() < until && this.requests < requestsMax) {
      while (this.#outstanding < outstandingMax && this.requests < requestsMax) this.#ask()
      await pause(1)
    }
  }

  async killAndRestart(): Promise<void> {
    await this.#router?.kill()
    const killedAt = performance.now()
    this.kills++
    // Answers that had left before the kill are read first.
    await pause(40)
    this.errors.push(...errorsOf(this.#router))
    for (const device of this.#devices) {
      if (device.learnedAt > killedAt - learningSettles) device.learnedAt = Number.POSITIVE_INFINITY
    }
    const startedAt = performance.now()
    const store = await openStore({ directory: this.#data, log: silentLog, clock: systemClock() })
    this.openings.push(performance.now() - startedAt)
    await store.close()
    await this.start()
  }

  /** Everything that is there with everything that was said to be. */
  async compare(): Promise<void> {
    const open = this.#open
    this.#open = new Map()
    this.#outstanding = 0
    const users = [...new Set([...this.#told.keys(), ...open.keys(), 'nobody'])]
    while (users.length > 0) {
      await Promise.all(users.splice(0, 40).map((user) => this.#compareUser(user, open)))
    }
    // One of each flow at a time: to one that is not proven yet goes little, and the first answer proves it.
    for (let i = 0; i < devicesPerSocket; i++) {
      const devices = this.#devices.filter((_, n) => n % devicesPerSocket === i)
      const learned = devices.filter(({ learnedAt }) => Number.isFinite(learnedAt))
      await Promise.all(learned.map((device) => this.#compareDevice(device)))
    }
  }

  /** Each device speaks, and proves itself, until all that it was promised has come. */
  async deliverAll(): Promise<void> {
    const isThere = () => this.outbox().missing.length === 0
    for (let round = 0; round < 20 && !isThere(); round++) {
      for (const device of this.#devices) {
        await this.#says(device)
        await this.#reaches(device)
      }
      for (let i = 0; i < 50 && !isThere(); i++) await pause(20)
    }
    await pause(200)
    this.errors.push(...errorsOf(this.#router))
  }

  outbox(): { missing: string[]; marked: number; unmarked: string[] } {
    const out = { missing: [] as string[], marked: 0, unmarked: [] as string[] }
    const came = new Set<string>()
    const branches = new Set<string>()
    for (const text of this.#callers.flatMap(({ received }) => received)) {
      const body = text.slice(text.indexOf('\r\n\r\n') + 4)
      const branch = /branch=([^;\s]+)/.exec(text)?.[1] ?? ''
      // A retransmission is no second delivery: the transaction layer of a device absorbs it.
      if (!this.#sent.has(body) || branches.has(branch)) continue
      branches.add(branch)
      if (!came.has(body)) came.add(body)
      else if (/^X-Delivery-Attempt: [2-9]/im.test(text)) out.marked++
      else out.unmarked.push(body)
    }
    for (const bodies of this.#promised.values()) {
      for (const body of bodies) if (!came.has(body)) out.missing.push(body)
    }
    this.counts.delivered = came.size
    return out
  }

  figures(): string {
    const { missing, marked, unmarked } = this.outbox()
    const { registrations, refreshes, removals, learnings, stored, delivered } = this.counts
    return (
      `kill -9: ${this.requests} requests, ${this.kills} kills; acknowledged: ${registrations} registrations, ` +
      `${refreshes} refreshes, ${removals} removals, ${learnings} learnings, ${stored} messages stored, ${delivered} ` +
      `delivered. Compared ${this.compared}, lost or back ${this.lost.length}; outbox: ${missing.length} lost, ${marked} ` +
      `twice and marked, ${unmarked.length} not. The store opened within ${Math.max(...this.openings).toFixed(0)} ms ` +
      `(mean ${(this.openings.reduce((a, b) => a + b, 0) / this.openings.length).toFixed(0)})`
    )
  }

  #ask(): void {
    this.requests++
    const dice = random()
    const device = this.#devices[Math.floor(random() * this.#devices.length)]
    if (device === undefined || dice < 0.6)
      this.#track(this.#register(`u${Math.floor(random() * usersCount)}`))
    else if (dice < 0.72) this.#track(this.#says(device))
    else if (dice < 0.8) this.#track(this.#reaches(device))
    else this.#track(this.#store(device))
  }

  /** What the kill left unanswered does not count any more. */
  #track(work: Promise<unknown>): void {
    const kills = this.kills
    this.#outstanding++
    void work.then(() => {
      if (kills === this.kills) this.#outstanding--
    })
  }

  async #register(user: string): Promise<void> {
    if (this.#open.has(user)) return
    const open = this.#open
    const before = this.#told.get(user)
    const removes = before !== undefined && random() < 0.3
    const contact = before?.contact ?? `sip:${user}@127.0.0.1:${10_000 + Math.floor(random() * 50_000)}`
    const expires = before?.expires === 7_200 ? 3_600 : 7_200
    const after = removes ? null : { contact, expires, at: performance.now() }
    open.set(user, after)
    const headers = `Contact: <${contact}>;expires=${removes ? 0 : expires}\r\n`
    const fields = { method: 'REGISTER', user, callId: `register-${user}`, cseq: this.requests, headers }
    const answer = await this.#caller.ask(request(this.#caller, this.#port, fields), this.#port)
    // Without an answer it stays open; an answer after the comparison is one to a copy that was read late.
    if (answer === null || open !== this.#open) return
    expect(answer.status).toBe(200)
    this.counts[removes ? 'removals' : before === undefined ? 'registrations' : 'refreshes']++
    if (after === null) this.#told.delete(user)
    else this.#told.set(user, after)
    open.delete(user)
  }

  async #says(device: Device): Promise<void> {
    const { aor, caller } = device
    const text = request(caller, this.#port, { method: 'MESSAGE', user: '1000', from: aor })
    const answer = await caller.ask(text, this.#port)
    if (answer?.status !== 200) return
    this.counts.learnings++
    if (!Number.isFinite(device.learnedAt)) device.learnedAt = performance.now()
  }

  async #reaches({ aor }: Device): Promise<number> {
    const fields = { method: 'MESSAGE', user: aor, from: 'x', body: 'direct' }
    const answer = await this.#caller.ask(request(this.#caller, this.#port, fields), this.#port)
    return answer?.status ?? 0
  }

  async #store({ aor }: Device): Promise<void> {
    const body = `message ${this.requests}`
    const fields = { method: 'MESSAGE', user: aor, from: 'x', headers: 'X-Store: yes\r\n', body }
    this.#sent.add(body)
    const answer = await this.#caller.ask(request(this.#caller, this.#port, fields), this.#port)
    if (answer?.status !== 202) return
    this.counts.stored++
    const promised = this.#promised.get(aor) ?? new Set()
    this.#promised.set(aor, promised.add(body))
  }

  async #compareUser(user: string, open: ReadonlyMap<string, Bound | null>): Promise<void> {
    const question = request(this.#caller, this.#port, { method: 'REGISTER', user })
    const answer = await this.#caller.ask(question, this.#port, {
      milliseconds: 10_000,
      retryMilliseconds: 500,
    })
    const now = performance.now()
    const found = boundIn(answer?.text ?? '')
    const allowed = [this.#told.get(user) ?? null, ...(open.has(user) ? [open.get(user) ?? null] : [])]
    const match = allowed.find((bound) => isAsTold(found, bound, now))
    this.compared++
    if (answer === null || match === undefined) {
      this.lost.push(`${user}: ${JSON.stringify(found)} instead of ${JSON.stringify(allowed)}`)
    }
    if (match === undefined || match === null) this.#told.delete(user)
    else this.#told.set(user, match)
  }

  async #compareDevice(device: Device): Promise<void> {
    this.compared++
    const status = await this.#reaches(device)
    if (status !== 200) this.lost.push(`${device.aor}: not learned any more: ${status}`)
  }
}

/** The Contact of an answer, and for how many seconds it still is one. */
function boundIn(text: string): { contact: string; expires: number } | null {
  const [, contact, expires] = /^contact: *<([^>]*)>;expires=(\d+)/im.exec(text) ?? []
  return contact === undefined ? null : { contact, expires: Number(expires) }
}

/** The lifetime that is left is the one that was given, less the time that has passed. */
function isAsTold(
  found: { contact: string; expires: number } | null,
  told: Bound | null,
  now: number,
): boolean {
  if (found === null || told === null) return found === told
  const passed = (now - told.at) / 1000
  return found.contact === told.contact && Math.abs(found.expires - (told.expires - passed)) < 30
}

function errorsOf(router: Router | null): string[] {
  const lines = router?.logLines().filter(({ level }) => level === 'error' || level === 'fatal') ?? []
  return lines.map((line) => JSON.stringify(line))
}
