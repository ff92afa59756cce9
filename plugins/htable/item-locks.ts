import type { Log, PackedValues, Workers } from '../../src/plugin/index.ts'

/**
 * sht_lock() where there are several workers: one of them at a time between the lock of an item and its unlock. With
 * one worker there is nothing to do: a message is never interrupted between two statements, unless one of them waits.
 *
 * A worker stands still while it waits, as in Kamailio, but never for longer than a tenth of a second: a script
 * that ends without unlocking must not end the router.
 */
const patienceMs = 100

export interface ItemLocks {
  lock(table: string, key: string): void
  unlock(table: string, key: string): void
}

export const noLocks: ItemLocks = { lock() {}, unlock() {} }

export class SharedItemLocks implements ItemLocks {
  readonly #values: PackedValues
  readonly #workers: Workers
  readonly #log: Log
  readonly #never = new Int32Array(new SharedArrayBuffer(4))

  constructor(values: PackedValues, workers: Workers, log: Log) {
    this.#values = values
    this.#workers = workers
    this.#log = log
  }

  lock(table: string, key: string): void {
    const name = nameOf(table, key)
    for (let waited = 0; waited < patienceMs; waited++) {
      if (this.#take(name, false)) return
      Atomics.wait(this.#never, 0, 0, 1)
    }
    this.#log.warn({ table, key }, `the lock of ${table}=>${key} was not given back: taken over`)
    this.#take(name, true)
  }

  unlock(table: string, key: string): void {
    const { index } = this.#workers
    this.#values.update(nameOf(table, key), 0, (held) =>
      held === undefined || held.value === index ? null : held,
    )
  }

  #take(name: string, byForce: boolean): boolean {
    const { index } = this.#workers
    let isOurs = true
    const isKept = this.#values.update(name, 0, (held) => {
      isOurs = byForce || held === undefined || held.value === index
      return isOurs || held === undefined ? { value: index, expiresAt: 0 } : held
    })
    // No room for another lock: then there is none.
    return isOurs || !isKept
  }
}

/** Long keys share a lock with others: what matters is that the same item has the same. */
const nameLengthMax = 250

function nameOf(table: string, key: string): string {
  return `${table}=>${key}`.slice(0, nameLengthMax)
}
