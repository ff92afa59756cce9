import type { RouteContext, SipMessage } from '../../src/plugin/index.ts'

/**
 * Walks over headers and over body lines, by name and for one run. A walk belongs to the message that it began with:
 * after msg_apply_changes() it is over.
 */
export interface Walk {
  readonly message: SipMessage
  /** -1: before the first. */
  position: number
}

export type Steps = Map<string, Walk>

/** Walks of one run at a time: Kamailio allows four. */
const walksMax = 16

export class Walks {
  readonly #runs = new WeakMap<RouteContext, Steps>()
  readonly #count: (message: SipMessage) => number

  /** `count` tells how many positions a message has. */
  constructor(count: (message: SipMessage) => number) {
    this.#count = count
  }

  start(context: RouteContext, name: string): number {
    const walks = this.#runs.get(context) ?? new Map<string, Walk>()
    if (!walks.has(name) && walks.size === walksMax) return -1
    walks.set(name, { message: context.message, position: -1 })
    this.#runs.set(context, walks)
    return 1
  }

  end(context: RouteContext, name: string): number {
    return this.#runs.get(context)?.delete(name) ? 1 : -1
  }

  /** `by` is 1 or -1. At either end the walk stays where it is. */
  move(context: RouteContext, name: string, by: number): number {
    const walk = this.#find(context, name)
    if (walk === null) return -1
    const position = walk.position + by
    if (position < 0 || position >= this.#count(walk.message)) return -1
    walk.position = position
    return 1
  }

  /** Where the walk stands; -1 if there is none, or it is before the first. */
  position(context: RouteContext, name: string): number {
    return this.#find(context, name)?.position ?? -1
  }

  #find(context: RouteContext, name: string): Walk | null {
    const walk = this.#runs.get(context)?.get(name)
    return walk === undefined || walk.message !== context.message ? null : walk
  }
}

/** A line of the body with its end, as offsets of the message. */
export interface BodyLine {
  readonly start: number
  readonly end: number
}

const lines = new WeakMap<SipMessage, readonly BodyLine[]>()

export function bodyLines(message: SipMessage): readonly BodyLine[] {
  const known = lines.get(message)
  if (known !== undefined) return known
  const found: BodyLine[] = []
  for (let start = message.bodyStart; start < message.bodyEnd; ) {
    const newline = message.text.indexOf('\n', start)
    const end = newline === -1 || newline >= message.bodyEnd ? message.bodyEnd : newline + 1
    found.push({ start, end })
    start = end
  }
  lines.set(message, found)
  return found
}
