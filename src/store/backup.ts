import { existsSync, statSync } from 'node:fs'
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { copyEnvironment } from './lmdb.ts'
import { dataFile, refuseSecond } from './open-store.ts'
import { faultOfDataFile } from './verify.ts'

/**
 * Copies of a store. A copy is written beside where it belongs, looked through page by page, brought to the disk, and
 * only then given its name: what has that name is whole.
 */
export interface Copied {
  readonly path: string
  readonly bytesBefore: number
  readonly bytes: number
}

/**
 * Copies the store of a data directory into another directory, also while a router has it open. All that was acknowledged
 * before is in the copy; of what comes meanwhile nothing is.
 *
 * @throws Error if there is no store, if there is one at the other place, or if the copy is not whole.
 */
export async function backupStore(directory: string, into: string): Promise<Copied> {
  const path = existing(directory)
  const copy = join(into, dataFile)
  if (existsSync(copy)) throw new Error(`there is a store in ${into} already: name another directory`)
  await mkdir(into, { recursive: true, mode: 0o750 })
  return await copied(path, copy)
}

/**
 * Writes a store anew without the pages that nothing refers to. The router must be stopped: who has the old file open would
 * write to what is no longer there.
 *
 * @throws Error if another process has it open, or if the copy is not whole: then the store is as it was.
 */
export async function compactStore(directory: string): Promise<Copied> {
  const path = existing(directory)
  refuseSecond(directory)
  return await copied(path, path)
}

function existing(directory: string): string {
  const path = join(directory, dataFile)
  if (!existsSync(path)) throw new Error(`there is no store in ${directory}`)
  return path
}

async function copied(path: string, copy: string): Promise<Copied> {
  const unfinished = `${copy}.unfinished-${process.pid}`
  try {
    await copyEnvironment(path, unfinished)
    const fault = faultOfDataFile(unfinished)
    if (fault !== null) throw new Error(`the copy is not whole: ${fault}`)
    await flushed(unfinished)
    const bytesBefore = statSync(path).size
    await rename(unfinished, copy)
    await flushed(dirname(copy))
    return { path: copy, bytesBefore, bytes: statSync(copy).size }
  } finally {
    await rm(unfinished, { force: true })
  }
}

async function flushed(path: string): Promise<void> {
  const file = await open(path, 'r')
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}
