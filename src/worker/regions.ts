import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads'
import { limits } from '../limits.ts'
import type { OpenRegion, Region } from '../store/region.ts'
import { releaseLocksOf, SharedLock } from './lock.ts'

/**
 * Regions that all workers of a router share. The main thread keeps them by name: a worker asks for one, sleeps until
 * the answer is there, and so has it at once, as where there is one worker. The main thread has nothing else to do.
 */
interface RegionRequest {
  readonly name: string
  readonly bytesMax: number
}

interface RegionAnswer {
  readonly buffer: SharedArrayBuffer
  /** Which word of the locks is this region's. */
  readonly lock: number
}

/** What a worker needs to ask. */
export interface RegionAccess {
  readonly port: MessagePort
  /** Becomes 1 with each answer. */
  readonly signal: SharedArrayBuffer
  readonly locks: SharedArrayBuffer
}

/** The main thread's side: outlives every worker. */
export class RegionKeeper {
  readonly locks = new SharedArrayBuffer(limits.workerRegionsMax * 4)
  readonly #regions = new Map<string, RegionAnswer>()

  /** Answers what comes through the port, until the worker at its other end is gone. */
  serve(port: MessagePort, signal: SharedArrayBuffer): void {
    const word = new Int32Array(signal)
    port.on('message', ({ name, bytesMax }: RegionRequest) => {
      port.postMessage(this.#region(name, bytesMax))
      Atomics.store(word, 0, 1)
      Atomics.notify(word, 0)
    })
    port.unref()
  }

  /** How many locks a dead worker had held. */
  release(worker: number): number {
    return releaseLocksOf(new Int32Array(this.locks), worker)
  }

  #region(name: string, bytesMax: number): RegionAnswer | null {
    const existing = this.#regions.get(name)
    if (existing !== undefined) return existing
    if (this.#regions.size >= limits.workerRegionsMax) return null
    const buffer = new SharedArrayBuffer(0, { maxByteLength: bytesMax })
    const created = { buffer, lock: this.#regions.size }
    this.#regions.set(name, created)
    return created
  }
}

/** Milliseconds that the main thread may take to answer. */
const patienceMs = 10_000

/** A worker's side. */
export function sharedRegions({ port, signal, locks }: RegionAccess, worker: number): OpenRegion {
  const opened = new Map<string, Region>()
  const word = new Int32Array(signal)
  const lockWords = new Int32Array(locks)
  const ask = (request: RegionRequest): RegionAnswer => {
    Atomics.store(word, 0, 0)
    port.postMessage(request)
    Atomics.wait(word, 0, 0, patienceMs)
    const answer = receiveMessageOnPort(port)?.message as RegionAnswer | null | undefined
    if (!answer)
      throw new Error(`the region ${request.name} cannot be had: too many, or the main thread is busy`)
    return answer
  }
  return (name, bytesMax) => {
    const existing = opened.get(name)
    if (existing !== undefined) return existing
    const { buffer, lock } = ask({ name, bytesMax })
    const created = sharedRegion(buffer, new SharedLock(lockWords, lock, worker))
    opened.set(name, created)
    return created
  }
}

function sharedRegion(buffer: SharedArrayBuffer, lock: SharedLock): Region {
  return {
    buffer,
    isShared: true,
    grow(byteLength) {
      if (byteLength > buffer.maxByteLength) return false
      try {
        if (byteLength > buffer.byteLength) buffer.grow(byteLength)
      } catch {
        // Another worker was faster, or the system has no more memory.
      }
      return buffer.byteLength >= byteLength
    },
    lock: () => lock.lock(),
    unlock: () => lock.unlock(),
  }
}
