import { constants, existsSync, statSync, writeFileSync } from 'node:fs'
import { access, mkdir, rename } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Clock } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import type { Durability } from './durability.ts'
import { lmdbStore } from './lmdb.ts'
import { memoryStore } from './memory.ts'
import { diskSpace, RoomGuard, writeProbe } from './room.ts'
import type { Store } from './table.ts'
import { faultOfDataFile, holdersOf, isOpenSomewhere } from './verify.ts'

/**
 * Opens the tables of a data directory, or tables in memory if there is none. A damaged file is moved aside,
 * reported, and a new one begun: a router that starts with an empty table is worth more than one that does not
 * start. A directory that can be read but not written gives a store that refuses writes. One that another process
 * has open is refused.
 *
 * @throws Error that says which directory cannot be used and why.
 */
export interface StoreOptions {
  directory: string | null
  log: Log
  clock: Clock
  durability?: Durability
}

export const dataFile = 'viaduct.mdb'
export const lockFile = `${dataFile}-lock`
const probeFile = `${dataFile}-probe`

/** What a store has in its directory. */
export const storeFiles: readonly string[] = [dataFile, lockFile]

export async function openStore({
  directory,
  log,
  clock,
  durability = 'crash',
}: StoreOptions): Promise<Store> {
  if (directory === null) return memoryStore()
  const path = join(directory, dataFile)
  refuseSecond(directory)
  const room = new RoomGuard(clock, () => diskSpace(directory), {
    probe: () => writeProbe(join(directory, probeFile), resolve(path)),
    onChange: (refusal) => raiseAlarm(log, directory, refusal),
  })
  const readOnly = !(await isWritable(directory, path))
  if (readOnly) log.error({ directory }, 'the data directory cannot be written: nothing will be kept')
  if (!readOnly) reserveSpace(directory)
  const fault = isOpenSomewhere(`${path}-lock`) ? null : faultOfDataFile(path)
  if (fault !== null) await moveAside(path, fault, { log, clock, readOnly })
  try {
    const store = lmdbStore({ path, readOnly, room, durability })
    // Again, now that others see us: of two that start in the same moment at most one goes on.
    refuseSecond(directory)
    return store
  } catch (error) {
    if (readOnly || !isDamage(error)) throw new Error(`cannot open the store ${path}: ${messageOf(error)}`)
    await moveAside(path, messageOf(error), { log, clock, readOnly })
    return lmdbStore({ path, readOnly, room, durability })
  }
}

/** Once for all writes that are refused from here on, and once when that is over. */
function raiseAlarm(log: Log, directory: string, refusal: string | null): void {
  if (refusal === null) log.warn({ directory }, 'the store takes writes again')
  else
    log.error({ directory, refusal }, 'the store refuses writes: 503 instead of what it would have to keep')
}

/**
 * The tables of a data directory to read from, also while a router has it open: each look sees what is committed by then.
 *
 * @throws Error if there is none.
 */
export function openStoreToRead(directory: string, clock: Clock): Store {
  const path = join(directory, dataFile)
  if (!existsSync(path)) throw new Error(`there is no store in ${directory}`)
  const fault = isOpenSomewhere(`${path}-lock`) ? null : faultOfDataFile(path)
  if (fault !== null) throw new Error(`the store ${path} is damaged: ${fault}`)
  const room = new RoomGuard(clock, () => diskSpace(directory))
  return lmdbStore({ path, readOnly: true, room, durability: 'crash' })
}

/**
 * Two routers on one directory would each keep in memory what they read at the start, and undo each other's
 * removals at the next one.
 */
export function refuseSecond(directory: string): void {
  const [holder] = holdersOf(join(directory, lockFile)).filter((pid) => pid !== process.pid)
  if (holder === undefined) return
  throw new Error(
    `the data directory ${directory} is in use by process ${holder}: stop that one, or give this router a ` +
      'directory of its own with --data',
  )
}

/** Octets of the lock file, and of a disk that is worth beginning on. */
const lockBytes = 12_288
const freeBytesToBegin = 131_072

/**
 * LMDB maps its lock file into memory: a page of it that a full disk cannot provide is a signal that ends the
 * process. So its pages are made to exist while a lack of space is still an error.
 *
 * @throws Error if the disk is full.
 */
function reserveSpace(directory: string): void {
  const lockPath = join(directory, lockFile)
  try {
    if (!existsSync(join(directory, dataFile)) && diskSpace(directory).freeBytes < freeBytesToBegin) {
      throw new Error('nothing can be written')
    }
    if (isOpenSomewhere(lockPath)) return
    if (existsSync(lockPath) && statSync(lockPath).blocks * 512 >= lockBytes) return
    writeFileSync(lockPath, Buffer.alloc(lockBytes), { mode: 0o640 })
  } catch (cause) {
    throw new Error(`the disk of the data directory ${directory} is full: ${messageOf(cause)}`, { cause })
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
