import { hash } from 'node:crypto'
import type { Link } from './link.ts'

/** The workers of one router as rooms and plugins see them: who they are, and how they tell each other things. */
export interface Workers {
  /** Which one this is, from 0. */
  readonly index: number
  readonly count: number
  /** The one that does what the router does once, when it starts. What stands in for one that died is never the first. */
  readonly isFirst: boolean
  /** Tells all other workers, in the order of the calls; they hear of it soon. Costs nothing where there are none. */
  tell(topic: string, value: unknown): void
  /** Tells one worker, and that may be this one: then at once. */
  tellOne(worker: number, topic: string, value: unknown): void
  /** One listener a topic: the module or room that has the topic's name. */
  onTold(topic: string, listen: (value: unknown, from: number) => void): void
  /**
   * 16 octets that nobody else knows, for that purpose the same in all workers. Only where there are several: one
   * worker has its Random.
   */
  sharedKey(purpose: string): Uint8Array
  /** The worker whose task something is that only one may do, by its name: the same one whoever asks. */
  inCharge(name: string): number
}

export function createWorkers(link: Link | null, secret = '', isReplacement = false): LinkedWorkers {
  return new LinkedWorkers(link, secret, isReplacement)
}

export class LinkedWorkers implements Workers {
  readonly index: number
  readonly count: number
  readonly isFirst: boolean
  readonly #link: Link | null
  readonly #secret: string
  readonly #listeners = new Map<string, (value: unknown, from: number) => void>()

  constructor(link: Link | null, secret: string, isReplacement: boolean) {
    this.index = link?.index ?? 0
    this.count = link?.count ?? 1
    this.isFirst = this.index === 0 && !isReplacement
    this.#link = link
    this.#secret = secret
  }

  tell(topic: string, value: unknown): void {
    if (this.#link === null) return
    const text = JSON.stringify(value)
    for (let to = 0; to < this.count; to++) if (to !== this.index) this.#link.tell(to, topic, text)
  }

  tellOne(worker: number, topic: string, value: unknown): void {
    if (worker === this.index) this.#listeners.get(topic)?.(value, worker)
    else this.#link?.tell(worker, topic, JSON.stringify(value))
  }

  onTold(topic: string, listen: (value: unknown, from: number) => void): void {
    this.#listeners.set(topic, listen)
  }

  sharedKey(purpose: string): Uint8Array {
    if (this.#secret === '') throw new Error('one worker shares nothing')
    return hash('sha512-256', `${this.#secret}\0${purpose}`, 'buffer').subarray(0, 16)
  }

  inCharge(name: string): number {
    if (this.count === 1) return 0
    // FNV-1a: spreads names, proves nothing.
    let hash = 0x811c9dc5
    for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193)
    return (hash >>> 0) % this.count
  }

  /** What the link brings. */
  told(from: number, topic: string, text: string): void {
    this.#listeners.get(topic)?.(JSON.parse(text), from)
  }
}

/** A router that is one worker. */
export const oneWorker: Workers = createWorkers(null)
