import { constants } from 'node:fs'
import { access, mkdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import { lmdbStore } from './lmdb.ts'
import { memoryStore } from './memory.ts'
import { diskSpace, RoomGuard } from './room.ts'
import type { Store } from './table.ts'
import { faultOfDataFile, isOpenSomewhere } from './verify.ts'

/**
 * Opens the tables of a data directory, or tables in memory if there is none. A damaged file is moved aside,
 * reported, and a new one begun: a router that starts with an empty table is worth more than one that does not
 * start. A directory that can be read but not written gives a store that refuses writes.
 *
 * @throws Error that says which directory cannot be used and why.
 */
export interface StoreOptions {
  directory: string | null
  log: Log
  clock: Clock
}

export async function openStore({ directory, log, clock }: StoreOptions): Promise<Store> {
  if (directory === null) return memoryStore()
  const path = join(directory, 'viaduct.mdb')
  const room = new RoomGuard(clock, () => diskSpace(directory))
  const readOnly = !(await isWritable(directory, path))
  if (readOnly) log.error({ directory }, 'the data directory cannot be written: nothing will be kept')
  const fault = isOpenSomewhere(`${path}-lock`) ? null : faultOfDataFile(path)
  if (fault !== null) await moveAside(path, fault, { log, clock, readOnly })
  try {
    return lmdbStore({ path, readOnly, room })
  } catch (error) {
    if (readOnly || !isDamage(error)) throw new Error(`cannot open the store ${path}: ${messageOf(error)}`)
    await moveAside(path, messageOf(error), { log, clock, readOnly })
    return lmdbStore({ path, readOnly, room })
  }
}

async function isWritable(directory: string, path: string): Promise<boolean> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o750 })
    await access(directory, constants.W_OK)
    await access(path, constants.R_OK | constants.W_OK)
    return true
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return true
    try {
      await access(path, constants.R_OK)
      return false
    } catch {
      throw new Error(`cannot use the data directory ${directory}: ${messageOf(error)}`)
    }
  }
}

/** LMDB's own words for a file that it cannot make sense of. */
function isDamage(error: unknown): boolean {
  return /MDB_(INVALID|CORRUPTED|VERSION_MISMATCH|PAGE_NOTFOUND|PANIC)/.test(messageOf(error))
}

async function moveAside(
  path: string,
  fault: string,
  { log, clock, readOnly }: { log: Log; clock: Clock; readOnly: boolean },
): Promise<void> {
  const aside = `${path}.damaged-${clock.wall()}`
  if (readOnly) throw new Error(`the store ${path} is damaged (${fault}) and cannot be replaced`)
  await rename(path, aside)
  log.error({ path, aside, fault }, 'the store is damaged: moved aside, starting with an empty one')
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
