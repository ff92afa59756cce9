import { type Clock, limits, PackedValues, type PluginHost } from '../../src/plugin/index.ts'

/**
 * Which worker has a lock, for all of them to see. A worker that waits looks again every few milliseconds; it does
 * not stand still. What a dead worker held is free after as long as a run may wait.
 */
const lookMilliseconds = 2

export class WorkerLocks {
  readonly #values: PackedValues
  readonly #clock: Clock
  readonly #worker: number

  constructor({ clock, workers, openRegion }: PluginHost) {
    const region = openRegion('cfgutils.locks', limits.sharedTableBytesMax)
    this.#values = new PackedValues(
      region,
      workers.sharedKey('cfgutils'),
      limits.htableEntriesMax,
      secondOf(clock),
    )
    this.#clock = clock
    this.#worker = workers.index
  }

  async take(name: string): Promise<void> {
    while (!this.tryTake(name)) {
      await new Promise<void>((next) => this.#clock.schedule(lookMilliseconds, next))
    }
  }

  tryTake(name: string): boolean {
    const now = secondOf(this.#clock)
    const until = now + Math.ceil(limits.scriptWaitMillisecondsMax / 1000)
    let isOurs = true
    const isKept = this.#values.update(name, now, (held) => {
      isOurs = held === undefined || held.value === this.#worker
      return isOurs || held === undefined ? { value: this.#worker, expiresAt: until } : held
    })
    // No room for another lock: then there is none.
    return isOurs || !isKept
  }

  release(name: string): void {
    this.#values.update(name, secondOf(this.#clock), (held) =>
      held === undefined || held.value === this.#worker ? null : held,
    )
  }
}

function secondOf(clock: Clock): number {
  return Math.floor(clock.now() / 1000)
}
