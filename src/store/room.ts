import { fdatasync, statfsSync } from 'node:fs'
import { open, readdir, readlink, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { limits } from '../limits.ts'
import type { Clock, Timer } from '../runtime/clock.ts'

/**
 * Is there room to write, and does the device take it? LMDB's native part does not survive many failed commits: where
 * the disk takes not even a part of one, lmdb 3.5.6 words its complaint into 100 octets that may be too few. So writes
 * are refused before the disk is full, a commit has no more of them than fit for certain, and after one has failed all
 * are refused until a file beside the store could be written. Reads are never refused.
 *
 *   taking writes --little space--> refusing --space-----------------> taking writes
 *         `------a failed write---> refusing --5 s, and a probe is written--^
 */
export interface DiskSpace {
  readonly freeBytes: number
  readonly totalBytes: number
}

/** What a guard has beside the look at the space; a test may leave it out. */
export interface RoomWatch {
  /** After a failure: writes something, all the way to the device. Rejects if that fails too. */
  readonly probe: () => Promise<void>
  /** Told once when writes begin to be refused (why), and once when they are taken again (null). */
  readonly onChange: (refusal: string | null) => void
}

/** Octets that must stay free for what else there is on the disk. On small disks a twentieth of them. */
const freeBytesMin = 33_554_432
const freeShare = 20
/** Octets of a commit: what leads to each table, the list of free pages, and a leaf that splits for each write. */
const commitBytes = 32_768
const writeBytes = 8_192
/** Another worker may be about to commit as much. */
const committersAtOnce = 2
/** Milliseconds between two looks at the disk for those who only ask. */
const lookInterval = 200
/** Milliseconds between two looks while writes are refused and nobody asks: the end of an alarm is told too. */
const watchInterval = 1_000
/** Milliseconds from a failed write to the probe, and from a failed probe to the next. */
const pauseAfterFailure = 5_000

/** Milliseconds after which a commit is given up: longer than any disk takes. */
const commitDeadline = 15_000

const unwatched: RoomWatch = { probe: () => Promise.resolve(), onChange: () => {} }

export class RoomGuard {
  readonly #look: () => DiskSpace
  readonly #clock: Clock
  readonly #watch: RoomWatch
  #lookedAt = Number.NEGATIVE_INFINITY
  #hasRoom = true
  /** A write failed, and no probe has been written since. */
  #hasFailed = false
  /** A commit does not come back. */
  #isStuck = false
  /** As it was told last. */
  #told: string | null = null

  constructor(clock: Clock, look: () => DiskSpace, watch = unwatched) {
    this.#look = look
    this.#clock = clock
    this.#watch = watch
  }

  /** Why nothing may be written now; null if it may. */
  refusal(): string | null {
    if (!this.#hasFailed && !this.#isStuck && this.#clock.now() - this.#lookedAt >= lookInterval)
      this.writesMax()
    return this.#refusal()
  }

  /** How many writes the next commit may have, as the disk is now; 0: none. */
  writesMax(): number {
    this.#lookedAt = this.#clock.now()
    const writes = writesThatFit(this.#space())
    this.#hasRoom = writes > 0
    this.#tell()
    return this.#hasFailed || this.#isStuck ? 0 : writes
  }

  failed(): void {
    if (this.#hasFailed) return
    this.#hasFailed = true
    this.#tell()
    this.#clock.schedule(pauseAfterFailure, () => void this.#probe())
  }

  /** A commit begins: `giveUp` is called, and all is refused, if it has not come back when it should long have. */
  begin(giveUp: () => void): Timer {
    return this.#clock.schedule(commitDeadline, () => {
      this.#isStuck = true
      this.#tell()
      giveUp()
    })
  }

  /** It has come back. */
  end(timer: Timer): void {
    timer.cancel()
    this.#isStuck = false
  }

  #refusal(): string | null {
    if (this.#isStuck) return 'a commit has not come back: the router must be started again'
    if (this.#hasFailed) return 'a write failed a moment ago'
    return this.#hasRoom ? null : 'the disk is full'
  }

  /** Never rejects. */
  async #probe(): Promise<void> {
    try {
      await this.#watch.probe()
      this.#hasFailed = false
      this.writesMax()
    } catch {
      this.#clock.schedule(pauseAfterFailure, () => void this.#probe())
    }
  }

  #tell(): void {
    const refusal = this.#refusal()
    if ((refusal === null) === (this.#told === null)) return
    this.#told = refusal
    this.#watch.onChange(refusal)
    if (refusal !== null) this.#lookLater()
  }

  #lookLater(): void {
    this.#clock.schedule(watchInterval, () => {
      if (this.#told === null) return
      this.writesMax()
      if (this.#told !== null) this.#lookLater()
    })
  }

  /** A file system that cannot even be asked takes nothing. */
  #space(): DiskSpace {
    try {
      return this.#look()
    } catch {
      return { freeBytes: 0, totalBytes: 0 }
    }
  }
}

function writesThatFit({ freeBytes, totalBytes }: DiskSpace): number {
  if (freeBytes < Math.min(freeBytesMin, totalBytes / freeShare)) return 0
  const writes = Math.floor((freeBytes / committersAtOnce - commitBytes) / writeBytes)
  return Math.max(0, Math.min(limits.storeCommitWritesMax, writes))
}

export function diskSpace(directory: string): DiskSpace {
  const { bavail, blocks, bsize } = statfsSync(directory)
  return { freeBytes: bavail * bsize, totalBytes: blocks * bsize }
}

/** Octets that are written to see whether anything can be. */
const probeBytes = 4_096

/** Rejects if the device does not take a block. `dataFile` is the one that could not be written. */
export async function writeProbe(path: string, dataFile: string): Promise<void> {
  await forgetErrors(dataFile)
  const file = await open(path, 'w', 0o640)
  try {
    await file.write(Buffer.alloc(probeBytes, 1))
    await file.datasync()
  } finally {
    await file.close()
    await unlink(path).catch(() => undefined)
  }
}

const sync = promisify(fdatasync)

/**
 * Linux tells a failed write to each descriptor of the file, once, when it is synchronized next (errseq_t). LMDB has two,
 * and takes what the second says of a failure long past for one of its next commit, after which it refuses everything for
 * ever. So all that this process has of the file are asked before it goes on.
 */
async function forgetErrors(dataFile: string): Promise<void> {
  const descriptors = await readdir('/proc/self/fd').catch(() => [])
  for (const name of descriptors) {
    const target = await readlink(join('/proc/self/fd', name)).catch(() => '')
    if (target === dataFile) await sync(Number(name)).catch(() => undefined)
  }
}
