import { getHeapStatistics } from 'node:v8'
import { limits } from '../limits.ts'
import type { LogLevel } from '../runtime/log.ts'
import type { LoadedScript } from '../script/engine.ts'
import { type Durability, durabilityOf } from '../store/durability.ts'

/** What follows from the command line and from the host, for the one thread of a router or for each of several. */

/** Of `-d` and `-dd`. */
export function levelOf(debug: number): LogLevel {
  return debug === 0 ? 'info' : debug === 1 ? 'debug' : 'trace'
}

/** As usrloc's parameter of that name says: the store is opened before modules are set up. */
export function durabilityWished({ program }: LoadedScript): Durability {
  const word = program.parameters.findLast(
    ({ module, name }) => module === 'usrloc' && name === 'durability',
  )?.value
  return durabilityOf(String(word)) ?? 'crash'
}

/** Octets of V8's heap that transactions never get: its nursery, and the program itself. */
const nurseryBytes = 100_663_296
const programBytes = 25_165_824
const fewestTransactions = 1_000

/**
 * Half of the heap that is left is for transactions. V8 takes about a quarter of a small host's memory, or what
 * --max-old-space-size says, and ends the process where that is used up: a flood must be refused before.
 */
export function transactionsThatFit(): number {
  const left = getHeapStatistics().heap_size_limit - nurseryBytes - programBytes
  const fitting = Math.floor(left / 2 / limits.transactionBytes)
  return Math.min(limits.transactionsMax, Math.max(fewestTransactions, fitting))
}
