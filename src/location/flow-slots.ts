import { limits } from '../limits.ts'
import type { Region } from '../store/region.ts'

/**
 * The clocks and counts of flows where several workers share them: a slot of a region for each flow. The worker that a
 * device's packets meet moves its clock, every other one sees at once whether the pinhole is open.
 *
 * A slot is six numbers: when it was last heard from, until when it is reachable, octets in and out, proven or not, and
 * by 32 bits each which workers know it. Free slots are a list. Numbers of eight octets are read and written whole.
 */
export const flowField = { lastSeen: 0, reachableUntil: 1, bytesIn: 2, bytesOut: 3, proven: 4 } as const
const usersField = 5
const slotNumbers = 6
/** Before the first slot: how many there are, and the first free one (its number and one). */
const head = { count: 0, free: 1 } as const
const headBytes = 64
const growthSlots = 1_024

export const flowSlotsBytesMax = headBytes + limits.flowSlotsMax * slotNumbers * 8

export class FlowSlots {
  readonly #region: Region
  readonly #worker: number
  #numbers: Float64Array = new Float64Array(0)
  #words: Int32Array = new Int32Array(0)

  constructor(region: Region, worker: number) {
    this.#region = region
    this.#worker = worker
    this.#locked(() => {
      if (!region.grow(headBytes)) throw new Error('a region that is too small for flows')
      this.#look()
    })
  }

  /** A slot that this worker knows; -1 if there is no room. */
  take(): number {
    return this.#locked(() => {
      const free = this.#words[head.free] ?? 0
      const slot = free === 0 ? this.#append() : free - 1
      if (slot < 0) return -1
      if (free !== 0) this.#words[head.free] = this.#words[this.#usersAt(slot)] ?? 0
      this.#words[this.#usersAt(slot)] = 0
      this.#words[this.#usersAt(slot) + 1] = 0
      this.#setUser(slot, true)
      return slot
    })
  }

  /** This worker knows a slot that another has taken. */
  share(slot: number): void {
    this.#locked(() => this.#setUser(slot, true))
  }

  /** This worker knows it no more; the last one frees it. */
  drop(slot: number): void {
    this.#locked(() => this.#drop(slot))
  }

  /** What the one before, who died, had known. */
  dropAll(): void {
    this.#locked(() => {
      const count = this.#words[head.count] ?? 0
      for (let slot = 0; slot < count; slot++) if (this.#isUser(slot)) this.#drop(slot)
    })
  }

  get(slot: number, field: number): number {
    const at = headBytes / 8 + slot * slotNumbers + field
    if (at >= this.#numbers.length) this.#look()
    return this.#numbers[at] ?? 0
  }

  set(slot: number, field: number, value: number): void {
    const at = headBytes / 8 + slot * slotNumbers + field
    if (at >= this.#numbers.length) this.#look()
    this.#numbers[at] = value
  }

  /** How many are taken: for tests. */
  get takenCount(): number {
    return this.#locked(() => {
      let free = 0
      for (let next = this.#words[head.free] ?? 0; next !== 0; free++)
        next = this.#words[this.#usersAt(next - 1)] ?? 0
      return (this.#words[head.count] ?? 0) - free
    })
  }

  #append(): number {
    const slot = this.#words[head.count] ?? 0
    if (slot >= limits.flowSlotsMax) return -1
    const bytes = headBytes + (slot + 1) * slotNumbers * 8
    if (bytes > this.#region.buffer.byteLength) {
      const grown = Math.min(flowSlotsBytesMax, bytes + growthSlots * slotNumbers * 8)
      if (!this.#region.grow(grown)) return -1
      this.#look()
    }
    this.#words[head.count] = slot + 1
    return slot
  }

  #drop(slot: number): void {
    if (!this.#isUser(slot)) return
    this.#setUser(slot, false)
    const at = this.#usersAt(slot)
    if (this.#words[at] !== 0 || this.#words[at + 1] !== 0) return
    this.#words[at] = this.#words[head.free] ?? 0
    this.#words[head.free] = slot + 1
  }

  #isUser(slot: number): boolean {
    return ((this.#words[this.#userWord(slot)] ?? 0) & this.#bit) !== 0
  }

  #setUser(slot: number, isUser: boolean): void {
    const at = this.#userWord(slot)
    const users = this.#words[at] ?? 0
    this.#words[at] = isUser ? users | this.#bit : users & ~this.#bit
  }

  get #bit(): number {
    return 1 << (this.#worker & 31)
  }

  #usersAt(slot: number): number {
    return headBytes / 4 + (slot * slotNumbers + usersField) * 2
  }

  #userWord(slot: number): number {
    return this.#usersAt(slot) + (this.#worker >> 5)
  }

  /** Views of a fixed length: those that follow a shared buffer by themselves cost 20 times as much a number. */
  #look(): void {
    const { buffer } = this.#region
    this.#numbers = new Float64Array(buffer, 0, buffer.byteLength >> 3)
    this.#words = new Int32Array(buffer, 0, buffer.byteLength >> 2)
  }

  #locked<T>(work: () => T): T {
    this.#region.lock()
    try {
      if (this.#words.length << 2 !== this.#region.buffer.byteLength) this.#look()
      return work()
    } finally {
      this.#region.unlock()
    }
  }
}
