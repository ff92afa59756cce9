import type { Clock } from '../../src/runtime/clock.ts'

/** What is due when, by hundredths of a second: a hundred thousand devices that wait would be too many timers for the clock. */
export class Calendar {
  readonly #clock: Clock
  readonly #slots = new Map<number, (() => void)[]>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  in(milliseconds: number, run: () => void): void {
    const slot = Math.ceil((this.#clock.now() + milliseconds) / slotMs)
    const due = this.#slots.get(slot)
    if (due !== undefined) {
      due.push(run)
      return
    }
    this.#slots.set(slot, [run])
    this.#clock.schedule(slot * slotMs - this.#clock.now(), () => {
      const runs = this.#slots.get(slot) ?? []
      this.#slots.delete(slot)
      for (const one of runs) one()
    })
  }
}

const slotMs = 10
