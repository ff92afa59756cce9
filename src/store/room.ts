import { statfsSync } from 'node:fs'
import type { Clock } from '../runtime/clock.ts'

/**
 * Is there room to write? LMDB's native part does not survive many failed commits (its heap is damaged after some
 * hundred on a full disk, measured with lmdb 3.5.6), so a write is refused before the disk is full, and for a
 * while after any write has failed. Reads are never refused.
 */
export interface DiskSpace {
  readonly freeBytes: number
  readonly totalBytes: number
}

/** Octets that must stay free: what may be written between two looks. On small disks a twentieth of them. */
const freeBytesMin = 33_554_432
const freeShare = 20
/** Milliseconds between two looks at the disk. */
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
    if (now - this.#lookedAt >= lookInterval) {
      this.#lookedAt = now
      this.#hasRoom = hasRoom(this.#look())
    }
    return this.#hasRoom ? null : 'the disk is full'
  }

  failed(): void {
    this.#pausedUntil = this.#clock.now() + pauseAfterFailure
  }
}

function hasRoom({ freeBytes, totalBytes }: DiskSpace): boolean {
  return freeBytes >= Math.min(freeBytesMin, totalBytes / freeShare)
}

export function diskSpace(directory: string): DiskSpace {
  const { bavail, blocks, bsize } = statfsSync(directory)
  return { freeBytes: bavail * bsize, totalBytes: blocks * bsize }
}
