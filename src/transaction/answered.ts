import { limits } from '../limits.ts'
import type { Clock, Timer } from '../runtime/clock.ts'
import type { ListenSocket } from '../transport/socket.ts'

/** A final response, and where it went. */
export interface Answer {
  readonly text: string
  readonly socket: ListenSocket
  readonly address: string
  readonly port: number
}

interface Remembered extends Answer {
  readonly until: number
}

/**
 * The rest of timer J (RFC 3261 §17.2.2): non-INVITE requests whose transaction has ended, and what they were
 * answered. A client that lost the first answers asks again for 64*T1 and must get the same one: a MESSAGE that is
 * delivered twice is worse than one that is late. Of the transaction only its key and the response are kept.
 *
 * All are kept equally long, so the oldest are the first in the map.
 */
export class AnsweredRequests {
  readonly #clock: Clock
  readonly #bytesMax: number
  readonly #byKey = new Map<string, Remembered>()
  #bytes = 0
  #timer: Timer | null = null

  constructor(clock: Clock, bytesMax: number = limits.answeredBytesMax) {
    this.#clock = clock
    this.#bytesMax = bytesMax
  }

  get size(): number {
    return this.#byKey.size
  }

  find(key: string): Answer | undefined {
    const answer = this.#byKey.get(key)
    return answer !== undefined && answer.until > this.#clock.now() ? answer : undefined
  }

  remember(key: string, { text, socket, address, port }: Answer, milliseconds: number): void {
    const known = this.#byKey.get(key)
    if (known !== undefined) this.#forget(key, known)
    this.#byKey.set(key, { text, socket, address, port, until: this.#clock.now() + milliseconds })
    this.#bytes += bytesOf(key, text)
    if (this.#bytes > this.#bytesMax) this.#shrink()
    this.#timer ??= this.#clock.schedule(passMilliseconds, () => this.#expire())
  }

  clear(): void {
    this.#timer?.cancel()
    this.#timer = null
    this.#byKey.clear()
    this.#bytes = 0
  }

  #expire(): void {
    const now = this.#clock.now()
    for (const [key, answer] of this.#byKey) {
      if (answer.until > now) break
      this.#forget(key, answer)
    }
    this.#timer = this.#byKey.size === 0 ? null : this.#clock.schedule(passMilliseconds, () => this.#expire())
  }

  /** The oldest go, many at a time: a walk from the front of a map passes over all that were deleted there. */
  #shrink(): void {
    const enough = this.#bytesMax * (1 - 1 / 16)
    for (const [key, answer] of this.#byKey) {
      if (this.#bytes <= enough) break
      this.#forget(key, answer)
    }
  }

  #forget(key: string, { text }: Remembered): void {
    this.#byKey.delete(key)
    this.#bytes -= bytesOf(key, text)
  }
}

const passMilliseconds = 1_000

/** What an entry costs beside its two texts: the record, the map's slot, the strings' heads. */
const overheadBytes = 200

function bytesOf(key: string, text: string): number {
  return key.length + text.length + overheadBytes
}
