import { LRUCache } from 'lru-cache'
import { limits } from '../../src/plugin/index.ts'

/**
 * Which nonces were used, and with which counts: the only state that digest authentication keeps. It is written
 * only after a response proved right, so that nobody without a password can fill it or use up another's counts.
 *
 * With qop a window of 64 counts per nonce is remembered (RFC 7616 §3.4.5); without, a nonce serves one request.
 * The same request once more is a retransmission and accepted again: its answer may have been lost.
 */
export type NonceUse = 'new' | 'again' | 'used'

const windowBits = 64

interface NonceRecord {
  highest: number
  /** Bit n: the count `highest - n` was used. */
  window: bigint
  /** What the last accepted request was: see `authenticator.ts`. */
  lastRequest: string
}

export class NonceUses {
  readonly #records: LRUCache<string, NonceRecord>

  constructor(max: number = limits.noncesMax) {
    this.#records = new LRUCache({ max })
  }

  /** `count` 0: without qop. `request` tells a retransmission from a second use. */
  record(nonce: string, count: number, request: string): NonceUse {
    const known = this.#records.get(nonce)
    if (known === undefined) return this.#recordFirst(nonce, count, request)
    if (known.lastRequest === request) return 'again'
    if (count === 0 || !isUnused(known, count)) return 'used'
    advance(known, count)
    known.lastRequest = request
    return 'new'
  }

  get size(): number {
    return this.#records.size
  }

  #recordFirst(nonce: string, count: number, request: string): NonceUse {
    const record = { highest: 0, window: 0n, lastRequest: '' }
    if (count !== 0 && !isUnused(record, count)) return 'used'
    if (count !== 0) advance(record, count)
    record.lastRequest = request
    this.#records.set(nonce, record)
    return 'new'
  }
}

/** Neither used, nor older than the window, nor so far ahead that the rest of the counts would be burnt. */
function isUnused(record: NonceRecord, count: number): boolean {
  const ahead = count - record.highest
  if (ahead > 0) return ahead <= windowBits
  return -ahead < windowBits && (record.window & (1n << BigInt(-ahead))) === 0n
}

function advance(record: NonceRecord, count: number): void {
  const ahead = count - record.highest
  if (ahead <= 0) {
    record.window |= 1n << BigInt(-ahead)
    return
  }
  record.window = BigInt.asUintN(windowBits, record.window << BigInt(ahead)) | 1n
  record.highest = count
}
