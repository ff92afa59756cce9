import type { Clock, Timer } from '../runtime/clock.ts'

/**
 * All transaction timers on one timer of the clock: two rings of slots, the near one of a millisecond each, the
 * far one of 1024. Setting, moving and cancelling an entry are a few pointer writes and allocate nothing.
 *
 *     near: [ms 0] [ms 1] ... [ms 1023]        the window of 1024 ms that we are in
 *     far:  [window +1] [window +2] ...        poured into the near ring when their window begins
 *
 * It wakes up for the earliest entry only; after a wake-up with much to do it rests for some milliseconds, so that a
 * busy router wakes up a hundred times a second and not a thousand. An entry never expires early.
 *
 * Cancelling the last entry leaves the clock's timer as it is: nearly all entries are cancelled, and where calls come one
 * by one each would set a timer of the clock and cancel it, a microsecond each. An empty wheel wakes up once in vain,
 * and then no more.
 */
export class WheelEntry {
  /** Slot that the entry is in, -1 if it is in none. Belongs to the wheel, as do the next three. */
  wheelSlot = -1
  wheelTick = 0
  wheelNext: WheelEntry = this
  wheelPrevious: WheelEntry = this
}

const windowBits = 10
const windowTicks = 1 << windowBits
const farSlots = 512
/** A wake-up that served so many entries was a busy one. */
const busyEntries = 8
const restTicks = 10

export class TimerWheel<E extends WheelEntry> {
  readonly #clock: Clock
  readonly #expire: (entry: E, now: number) => void
  /** Tick 0 of the wheel in the clock's milliseconds. */
  readonly #origin: number
  /** Near slots first, far slots after them; each a ring of entries, held by its first one. */
  readonly #slots: (WheelEntry | null)[] = new Array(windowTicks + farSlots).fill(null)
  /** Every tick before this one is done. */
  #current = 0
  /** The window whose entries are in the near ring. */
  #window = 0
  #count = 0
  #timer: Timer | null = null
  #wakeTick = Number.POSITIVE_INFINITY
  #restUntil = 0
  #isRunning = false
  readonly #wake = () => this.#run()

  /** `expire` is called once per expired entry, which is out of the wheel by then and may be set again. */
  constructor(clock: Clock, expire: (entry: E, now: number) => void) {
    this.#clock = clock
    this.#expire = expire
    this.#origin = clock.now()
  }

  /** Entries that wait. */
  get count(): number {
    return this.#count
  }

  /** `dueMs` in the clock's milliseconds. An entry that waits already is moved. */
  set(entry: E, dueMs: number): void {
    if (entry.wheelSlot !== -1) this.#unlink(entry)
    if (this.#count === 0 && !this.#isRunning) this.#skipToNow()
    const tick = Math.max(Math.ceil(dueMs - this.#origin), this.#current)
    entry.wheelTick = tick
    this.#place(entry)
    if (!this.#isRunning && tick < this.#wakeTick) this.#wakeAt(tick)
  }

  /** Safe for an entry that does not wait. */
  cancel(entry: E): void {
    if (entry.wheelSlot === -1) return
    this.#unlink(entry)
  }

  /** Forgets all entries. */
  clear(): void {
    for (let slot = 0; slot < this.#slots.length; slot++) {
      for (let entry = this.#slots[slot]; entry; entry = this.#slots[slot]) this.#unlink(entry)
    }
    this.#sleep()
  }

  #run(): void {
    const now = this.#clock.now()
    const nowTick = Math.floor(now - this.#origin)
    this.#timer = null
    this.#wakeTick = Number.POSITIVE_INFINITY
    this.#isRunning = true
    let expired = 0
    try {
      expired = this.#advance(nowTick, now)
    } finally {
      this.#isRunning = false
      this.#restUntil = expired >= busyEntries ? nowTick + restTicks : 0
      if (this.#count > 0) this.#wakeAt(this.#nextTick())
    }
  }

  /** Serves every tick up to and with `nowTick`; says how many entries expired. */
  #advance(nowTick: number, now: number): number {
    let expired = 0
    while (this.#current <= nowTick && this.#count > 0) {
      const window = Math.floor(this.#current / windowTicks)
      if (window !== this.#window) this.#pour(window)
      const slot = this.#current & (windowTicks - 1)
      this.#current++
      for (let entry = this.#slots[slot]; entry; entry = this.#slots[slot]) {
        this.#unlink(entry)
        this.#expire(entry as E, now)
        expired++
      }
    }
    return expired
  }

  /** A window begins: what waits for it moves to the near ring; what lay beyond the horizon is placed anew. */
  #pour(window: number): void {
    this.#window = window
    const slot = windowTicks + (window % farSlots)
    const first = this.#slots[slot] ?? null
    if (first === null) return
    first.wheelPrevious.wheelNext = first
    this.#slots[slot] = null
    let entry = first
    do {
      const next = entry.wheelNext
      this.#count--
      this.#place(entry)
      entry = next
    } while (entry !== first)
  }

  #place(entry: WheelEntry): void {
    const window = Math.floor(entry.wheelTick / windowTicks)
    this.#link(
      entry,
      window === this.#window
        ? entry.wheelTick & (windowTicks - 1)
        : windowTicks + (Math.min(window, this.#window + farSlots - 1) % farSlots),
    )
  }

  #link(entry: WheelEntry, slot: number): void {
    const first = this.#slots[slot] ?? null
    entry.wheelSlot = slot
    this.#count++
    if (first === null) {
      this.#slots[slot] = entry
      entry.wheelNext = entry
      entry.wheelPrevious = entry
      return
    }
    const last = first.wheelPrevious
    last.wheelNext = entry
    entry.wheelPrevious = last
    entry.wheelNext = first
    first.wheelPrevious = entry
  }

  #unlink(entry: WheelEntry): void {
    const next = entry.wheelNext
    if (next === entry) this.#slots[entry.wheelSlot] = null
    else if (this.#slots[entry.wheelSlot] === entry) this.#slots[entry.wheelSlot] = next
    entry.wheelPrevious.wheelNext = next
    next.wheelPrevious = entry.wheelPrevious
    entry.wheelNext = entry
    entry.wheelPrevious = entry
    entry.wheelSlot = -1
    this.#count--
  }

  /** The earliest tick that something waits for. */
  #nextTick(): number {
    const nearEnd = (this.#window + 1) * windowTicks
    for (let tick = this.#current; tick < nearEnd; tick++) {
      if (this.#slots[tick & (windowTicks - 1)]) return tick
    }
    for (let window = this.#window + 1; window < this.#window + farSlots; window++) {
      const first = this.#slots[windowTicks + (window % farSlots)]
      if (first) return Math.min(earliest(first), (window + 1) * windowTicks)
    }
    return nearEnd
  }

  /** The wheel was empty: what lies behind us need not be walked through. */
  #skipToNow(): void {
    this.#current = Math.max(this.#current, Math.floor(this.#clock.now() - this.#origin))
    this.#window = Math.floor(this.#current / windowTicks)
  }

  #wakeAt(tick: number): void {
    const at = Math.max(tick, this.#restUntil)
    if (at >= this.#wakeTick) return
    this.#timer?.cancel()
    this.#wakeTick = at
    this.#timer = this.#clock.schedule(Math.max(0, this.#origin + at - this.#clock.now()), this.#wake)
  }

  #sleep(): void {
    this.#timer?.cancel()
    this.#timer = null
    this.#wakeTick = Number.POSITIVE_INFINITY
  }
}

function earliest(first: WheelEntry): number {
  let tick = first.wheelTick
  for (let entry = first.wheelNext; entry !== first; entry = entry.wheelNext) {
    if (entry.wheelTick < tick) tick = entry.wheelTick
  }
  return tick
}
