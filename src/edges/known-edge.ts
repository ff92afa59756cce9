import type { Owner } from '../location/shared-table.ts'
import type { BeatenEdge } from './beat-script.ts'

/** An edge as another one knows it: one object for as long as the process runs, whatever becomes of the edge. */
export class KnownEdge implements Owner {
  readonly name: string
  readonly isSelf: boolean
  uri = ''
  isAlive: boolean
  isDraining = false
  isGone = false
  /** Infinity: never heard of. */
  silentMs = Number.POSITIVE_INFINITY
  /** By Redis' clock; what was heard since does not count. */
  suspectedAt = 0
  #floors: Readonly<Record<string, unknown>> = {}
  #floorsText = ''

  constructor(name: string, isSelf: boolean) {
    this.name = name
    this.isSelf = isSelf
    this.isAlive = isSelf
  }

  /** Takes over what Redis has of it. True if that is something new for somebody. */
  learn(edge: BeatenEdge, redisNow: number, missedMax: number, isGraceful: boolean): boolean {
    const { uri, isAlive, isDraining } = this
    this.uri = edge.uri
    this.isDraining = edge.isDraining
    this.isGone = edge.isGone
    this.silentMs = Math.max(0, redisNow - edge.at)
    const isSilent = this.silentMs > missedMax * edge.heartbeatMs
    const isHeard = !edge.isGone && (!isSilent || (isGraceful && isAlive))
    this.isAlive = this.isSelf || (isHeard && edge.at > this.suspectedAt)
    if (edge.floors !== this.#floorsText) this.#readFloors(edge.floors)
    return uri !== this.uri || isAlive !== this.isAlive || isDraining !== this.isDraining
  }

  /** Redis has nothing of it any more. True if it was alive. */
  vanish(): boolean {
    const wasAlive = this.isAlive
    this.isAlive = this.isSelf
    this.silentMs = Number.POSITIVE_INFINITY
    return wasAlive && !this.isSelf
  }

  /** What it bound in that life is still there, as far as it has said. */
  isCurrent(table: string, life: number): boolean {
    const floor = this.#floors[table]
    return typeof floor !== 'number' || life >= floor
  }

  /** It shares that table, and has not told all that it owns. */
  isTelling(table: string): boolean {
    return this.#floors[table] === null
  }

  /** Redis has lost what it told. */
  forgetTold(): void {
    this.#floors = nothingTold(this.#floors)
    this.#floorsText = ''
  }

  #readFloors(text: string): void {
    this.#floorsText = text
    this.#floors = floorsOf(text)
  }
}

/** What an edge has written, whichever version of us it is. */
export function floorsOf(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? { ...value } : {}
  } catch {
    return {}
  }
}

/** Of all of these tables. */
export function nothingTold(floors: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.keys(floors).map((table) => [table, null]))
}
