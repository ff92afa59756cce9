import { limits } from '../limits.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Link, LinkReceiver } from './link.ts'
import { Ring, type RingReader, ringMemory } from './ring.ts'

/**
 * The link between worker threads: a ring of shared memory from each to each, and a bell for each that is rung only
 * while it sleeps. A passed datagram costs 0.7 microseconds where several pass in one turn and 3.3 where each wakes the
 * other up; by MessagePort 5 either way (docs/decisions/0017-workers.md).
 *
 * A bell is two words: how often it was rung, and whether its worker sleeps. The worker says that it sleeps, looks
 * once more, and waits for the number to change: whoever writes in between finds it asleep and rings.
 */
export interface LinkMemory {
  readonly count: number
  readonly bells: SharedArrayBuffer
  /** From worker f to worker t: the ring at f * count + t; null from a worker to itself. */
  readonly rings: readonly (SharedArrayBuffer | null)[]
}

export function createLinkMemory(count: number): LinkMemory {
  const rings = Array.from({ length: count * count }, (_, i) =>
    Math.floor(i / count) === i % count ? null : ringMemory(limits.workerRingBytes),
  )
  return { count, bells: new SharedArrayBuffer(count * bellWords * 4), rings }
}

const bellWords = 2
/** Records of one worker that are handled before others get their turn, and the loop its own. */
const recordsPerTurn = 256
/** Milliseconds after which waiting notices are tried again. */
const retryMs = 5

interface WaitingNotice {
  readonly to: number
  readonly topic: string
  readonly text: string
}

export class SharedLink implements Link {
  readonly index: number
  readonly count: number
  readonly #clock: Clock
  readonly #onDefect: (error: unknown) => void
  readonly #bells: Int32Array
  readonly #outgoing: readonly (Ring | null)[]
  readonly #incoming: readonly (Ring | null)[]
  #readers: readonly RingReader[] = []
  #waiting: WaitingNotice[] = []
  #isClosed = false
  /** catchUp() was called in this turn of the loop. */
  #isUp = false
  readonly #lieDown = (): void => {
    this.#isUp = false
    if (this.#readAll() || !this.#sleeps()) this.catchUp()
  }

  constructor(memory: LinkMemory, index: number, clock: Clock, onDefect: (error: unknown) => void) {
    const { count, bells, rings } = memory
    this.index = index
    this.count = count
    this.#clock = clock
    this.#onDefect = onDefect
    this.#bells = new Int32Array(bells)
    const workers = Array.from({ length: count }, (_, i) => i)
    const ring = (from: number, to: number) => {
      const shared = rings[from * count + to]
      return shared ? new Ring(shared) : null
    }
    this.#outgoing = workers.map((to) => ring(index, to))
    this.#incoming = workers.map((from) => ring(from, index))
  }

  passDatagram(
    to: number,
    text: string,
    socketIndex: number,
    address: string,
    port: number,
    hops: number,
  ): boolean {
    const ring = this.#outgoing[to]
    if (!ring?.writeDatagram(text, socketIndex, address, port, hops)) return false
    this.#wake(to)
    return true
  }

  tell(to: number, topic: string, text: string): boolean {
    if (this.#waiting.length === 0 && this.#write({ to, topic, text })) return true
    if (this.#waiting.length >= limits.workerNoticesWaitingMax) return false
    this.#waiting.push({ to, topic, text })
    if (this.#waiting.length === 1) this.#clock.schedule(retryMs, () => this.#retry())
    return true
  }

  open(receiver: LinkReceiver): void {
    this.#readers = this.#incoming.map(
      (_, from): RingReader => ({
        onDatagram: (text, socketIndex, address, port, hops) =>
          receiver.onPassed(text, socketIndex, address, port, hops),
        onNotice: (topic, text) => receiver.onTold(from, topic, text),
      }),
    )
    this.#turn()
  }

  /**
   * Hot: once per batch of datagrams. Until the end of this turn of the loop nobody needs to ring: a bell costs both
   * sides some microseconds, and a busy worker looks anyway.
   */
  catchUp(): void {
    Atomics.store(this.#bells, this.index * bellWords + 1, 0)
    this.#readAll()
    if (this.#isUp) return
    this.#isUp = true
    setImmediate(this.#lieDown)
  }

  close(): void {
    this.#isClosed = true
    this.#ring(this.index)
  }

  #write({ to, topic, text }: WaitingNotice): boolean {
    const ring = this.#outgoing[to]
    if (!ring?.writeNotice(topic, text)) return false
    this.#wake(to)
    return true
  }

  #retry(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const notice of waiting) {
      // Order counts: behind one that still waits all do.
      if (this.#waiting.length > 0 || !this.#write(notice)) this.#waiting.push(notice)
    }
    if (this.#waiting.length > 0 && !this.#isClosed) this.#clock.schedule(retryMs, () => this.#retry())
  }

  #wake(to: number): void {
    if (Atomics.exchange(this.#bells, to * bellWords + 1, 0) === 1) this.#ring(to)
  }

  #ring(worker: number): void {
    Atomics.add(this.#bells, worker * bellWords, 1)
    Atomics.notify(this.#bells, worker * bellWords)
  }

  /** Reads what is there, then sleeps until the bell rings; a turn of the loop lies between two readings. */
  #turn(): void {
    if (this.#isClosed) return
    const bell = this.index * bellWords
    const rung = Atomics.load(this.#bells, bell)
    Atomics.store(this.#bells, bell + 1, 0)
    if (this.#readAll() || !this.#sleeps()) {
      setImmediate(() => this.#turn())
      return
    }
    const wait = Atomics.waitAsync(this.#bells, bell, rung)
    if (wait.async) void wait.value.then(() => this.#turn())
    else setImmediate(() => this.#turn())
  }

  /** Says that this worker sleeps, unless something has come. */
  #sleeps(): boolean {
    Atomics.store(this.#bells, this.index * bellWords + 1, 1)
    for (const ring of this.#incoming) if (ring !== null && !ring.isEmpty) return false
    return true
  }

  /** True if there is more. */
  #readAll(): boolean {
    let isLeft = false
    for (let from = 0; from < this.#readers.length; from++) isLeft = this.#read(from) || isLeft
    return isLeft
  }

  /** True if there is more. A receiver that throws is a defect of ours, and must not end the turns. */
  #read(from: number): boolean {
    const ring = this.#incoming[from]
    const reader = this.#readers[from]
    if (!ring || reader === undefined || ring.isEmpty) return false
    try {
      return ring.read(reader, recordsPerTurn) === recordsPerTurn
    } catch (error) {
      this.#onDefect(error)
      return true
    }
  }
}
