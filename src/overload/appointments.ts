import { limits } from '../limits.ts'

/**
 * Who was told when to come again, and who was let in and is not done yet (a challenge wants a second request). A
 * table of fixed size by a hash of the Call-ID and the source's address: RFC 3261 §10.2 has a device keep its Call-ID, and a
 * NAT may change its port meanwhile. Two places for each hash, the older entry goes: who floods it with made-up
 * Call-IDs takes appointments from others, who then are strangers again, and nothing else.
 */
export class Appointments {
  /** Of each place: the hash (0: free), the seconds from and until which it holds, and how many requests are let in. */
  readonly #words = new Int32Array(limits.overloadAppointmentsMax * placeWords)
  readonly #seed: number

  constructor(seed: number) {
    this.#seed = seed
  }

  /** Never 0. */
  keyOf(callId: string, address: string): number {
    return fnv(address, fnv(callId, this.#seed)) || 1
  }

  /** Seconds that it is too early; 0: its time has come; -1: it was not told when to come. */
  early(key: number, nowSeconds: number): number {
    const at = this.#find(key)
    if (at < 0 || this.#word(at + place.left) !== absent || this.#word(at + place.until) < nowSeconds)
      return -1
    return Math.max(0, this.#word(at + place.from) - nowSeconds)
  }

  /** Whether it was let in and is not done yet; that counts as one of the requests it may send. */
  goesOn(key: number, nowSeconds: number): boolean {
    const at = this.#find(key)
    if (at < 0 || this.#word(at + place.left) <= 0 || this.#word(at + place.until) < nowSeconds) return false
    this.#words[at + place.left] = this.#word(at + place.left) - 1
    return true
  }

  appoint(key: number, fromSeconds: number, untilSeconds: number): void {
    this.#write(key, fromSeconds, untilSeconds, absent)
  }

  admit(key: number, nowSeconds: number, untilSeconds: number, requests: number): void {
    this.#write(key, nowSeconds, untilSeconds, requests)
  }

  #write(key: number, from: number, until: number, left: number): void {
    const found = this.#find(key)
    const at = found < 0 ? this.#older(firstPlace(key)) : found
    const words = this.#words
    words[at + place.key] = key
    words[at + place.from] = from
    words[at + place.until] = until
    words[at + place.left] = left
  }

  #older(first: number): number {
    const second = first + placeWords
    return this.#word(first + place.until) <= this.#word(second + place.until) ? first : second
  }

  #word(at: number): number {
    return this.#words[at] ?? 0
  }

  #find(key: number): number {
    const first = firstPlace(key)
    if (this.#words[first] === key) return first
    return this.#words[first + placeWords] === key ? first + placeWords : -1
  }
}

const place = { key: 0, from: 1, until: 2, left: 3 } as const
const placeWords = 4
/** Instead of how many requests are left: it was not let in yet. */
const absent = -1

/** Places come in pairs. */
function firstPlace(key: number): number {
  return ((key >>> 0) % (limits.overloadAppointmentsMax / 2)) * 2 * placeWords
}

/** FNV-1a of 32 bits. */
function fnv(text: string, seed: number): number {
  let hash = 0x811c9dc5 ^ seed
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash ^ (hash >>> 15)
}
