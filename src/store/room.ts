import { statfsSync } from 'node:fs'
import { limits } from '../limits.ts'
import type { Clock } from '../runtime/clock.ts'

/**
 * Is there room to write? LMDB's native part does not survive many failed commits: where the disk takes not even a part
 * of one, lmdb 3.5.6 words its complaint into 100 octets that may be too few. So writes are refused before the disk is
 * full, a commit has no more of them than fit for certain, and after one has failed all are refused for a while. Reads
 * are never refused.
 */
export interface DiskSpace {
  readonly freeBytes: number
  readonly totalBytes: number
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
/** Milliseconds that writes are refused after one has failed. */
const pauseAfterFailure = 5_000

export class RoomGuard {
  readonly #look: () => DiskSpace
  readonly #clock: Clock
  #lookedAt = Number.NEGATIVE_INFINITY
  #pausedUntil = Number.NEGATIVE_INFINITY
  #hasRoom = true

  constructor(clock: Clock, look: () => DiskSpace) {
    this.#clock = clock
    this.#look = look
  }

  /** Why nothing may be written now; null if it may. */
  refusal(): string | null {
    const now = this.#clock.now()
    if (now < this.#pausedUntil) return 'a write failed a moment ago'
    if (now - this.#lookedAt >= lookInterval) this.writesMax()
    return this.#hasRoom ? null : 'the disk is full'
  }

  /** How many writes the next commit may have, as the disk is now; 0: none. */
  writesMax(): number {
    this.#lookedAt = this.#clock.now()
    const writes = writesThatFit(this.#look())
    this.#hasRoom = writes > 0
    return this.#lookedAt < this.#pausedUntil ? 0 : writes
  }

  failed(): void {
    this.#pausedUntil = this.#clock.now() + pauseAfterFailure
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
