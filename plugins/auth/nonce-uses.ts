import { limits, type PluginHost, SipHash } from '../../src/plugin/index.ts'
import type { DigestMemory } from './digest-memory.ts'

/**
 * Which nonces were used, and with which counts: the only state that digest authentication keeps. It is written
 * only after a response proved right, so that nobody without a password can fill it or use up another's counts.
 *
 * With qop a window of 64 counts per nonce is remembered (RFC 7616 §3.4.5); without, a nonce serves one request.
 * The same request once more is a retransmission and accepted again: its answer may have been lost.
 *
 * Hot: one is written per authenticated request, and 100,000 of them live for minutes. So they are seven numbers each
 * in one table outside the heap, which the garbage collector never sees: 0.25 microseconds, most of them for the tag,
 * where a cache of objects took 2.
 *
 * All workers of a router have the same table: what one of them has accepted is no good at another.
 */
export type NonceUse = 'new' | 'again' | 'used'

/**
 * A request as far as a retransmission repeats it. Not its response: another one that is right for the same nonce and
 * count comes from who knows the password.
 */
export interface NonceUser {
  readonly address: string
  readonly port: number
  readonly callId: string
  readonly cseq: number
  readonly method: string
}

/** 64 bits that stand for one: nobody can make another request that has the same. */
export interface UserTag {
  readonly low: number
  readonly high: number
}

/** A nonce may stand in any place of its bucket; a full bucket forgets the nonce that was issued first. */
const bucketPlaces = 8
/** Places per nonce that is to be remembered: with so many hardly a bucket is full while the table is not. */
const spareFactor = 2

/** The numbers of a place. `issued` 0: the place is free. */
const field = {
  issued: 0,
  serial: 1,
  highest: 2,
  windowLow: 3,
  windowHigh: 4,
  userLow: 5,
  userHigh: 6,
} as const
const fieldsCount = 7
const placeOctets = 4 * fieldsCount
const bucketOctets = bucketPlaces * placeOctets
const keyOctets = 16
const windowBits = 64

/** Where the table lies. */
export interface NonceRoom {
  readonly buffer: ArrayBuffer | SharedArrayBuffer
  lock(): void
  unlock(): void
}

/** Memory for the uses of `max` nonces, and the key that their users are signed with: by `memory` too, if there is one. */
export function openNonceUses(
  host: PluginHost,
  memory: DigestMemory | null,
  max: number = limits.noncesMax,
): NonceUses {
  const { workers, random, openRegion } = host
  const bytes = nonceUsesBytes(max)
  const key = workers.count === 1 ? random.bytes(keyOctets) : workers.sharedKey('auth.nonces')
  memory?.signUsersWith(key)
  if (workers.count === 1) return new NonceUses(key, privateRoom(bytes))
  const region = openRegion('auth.nonces', bytes)
  region.grow(bytes)
  return new NonceUses(key, region)
}

export function nonceUsesBytes(max: number): number {
  const buckets = 2 ** Math.ceil(Math.log2(Math.max(1, (max * spareFactor) / bucketPlaces)))
  return buckets * bucketOctets
}

export function privateRoom(bytes: number): NonceRoom {
  return { buffer: new ArrayBuffer(bytes), lock() {}, unlock() {} }
}

export class NonceUses {
  readonly #room: NonceRoom
  readonly #bucketMask: number
  readonly #places: DataView
  readonly #hash: SipHash
  /** Of the request whose use is recorded. */
  #tag: UserTag

  constructor(key: Uint8Array, room: NonceRoom) {
    this.#room = room
    this.#bucketMask = room.buffer.byteLength / bucketOctets - 1
    this.#places = new DataView(room.buffer)
    this.#hash = new SipHash(key)
    this.#tag = this.#hash
  }

  /** Good until the next is signed. */
  sign({ address, port, callId, cseq, method }: NonceUser): UserTag {
    const hash = this.#hash
    hash.start()
    hash.word(port)
    hash.word(cseq)
    hash.word(address.length)
    hash.text(address)
    hash.word(callId.length)
    hash.text(callId)
    hash.text(method)
    hash.finish()
    return hash
  }

  /** `count` 0: without qop. `issued` and `serial` name the nonce (nonce.ts). */
  record(issued: number, serial: number, count: number, user: UserTag): NonceUse {
    this.#tag = user
    this.#room.lock()
    const use = this.#record(issued, serial, count)
    this.#room.unlock()
    return use
  }

  #record(issued: number, serial: number, count: number): NonceUse {
    const place = this.#placeOf(issued, serial)
    if (!this.#holds(place, issued, serial)) return this.#recordFirst(place, issued, serial, count)
    if (this.#isUser(place)) return 'again'
    if (count === 0 || !this.#isUnused(place, count)) return 'used'
    this.#advance(place, count)
    this.#noteUser(place)
    return 'new'
  }

  /** How many are remembered. */
  get size(): number {
    let count = 0
    for (let place = 0; place < this.#places.byteLength; place += placeOctets) {
      if (this.#get(place, field.issued) !== 0) count++
    }
    return count
  }

  #recordFirst(place: number, issued: number, serial: number, count: number): NonceUse {
    if (count > windowBits) return 'used'
    this.#set(place, field.issued, issued)
    this.#set(place, field.serial, serial)
    this.#set(place, field.highest, 0)
    this.#set(place, field.windowLow, 0)
    this.#set(place, field.windowHigh, 0)
    if (count !== 0) this.#advance(place, count)
    this.#noteUser(place)
    return 'new'
  }

  /** Where the nonce stands, or where it shall: in a free place, or in that of the one that was issued first. */
  #placeOf(issued: number, serial: number): number {
    const start = ((serial >>> 5) & this.#bucketMask) * bucketOctets
    let best = start
    for (let place = start; place < start + bucketOctets; place += placeOctets) {
      if (this.#holds(place, issued, serial)) return place
      if (this.#get(place, field.issued) >>> 0 < this.#get(best, field.issued) >>> 0) best = place
    }
    return best
  }

  #holds(place: number, issued: number, serial: number): boolean {
    return this.#get(place, field.issued) === (issued | 0) && this.#get(place, field.serial) === serial
  }

  /** Neither used, nor older than the window, nor so far ahead that the rest of the counts would be burnt. */
  #isUnused(place: number, count: number): boolean {
    const ahead = count - (this.#get(place, field.highest) >>> 0)
    if (ahead > 0) return ahead <= windowBits
    return -ahead < windowBits && !this.#isInWindow(place, -ahead)
  }

  /** Bit n of the window: the count `highest - n` was used. */
  #isInWindow(place: number, bit: number): boolean {
    const half = this.#get(place, bit < 32 ? field.windowLow : field.windowHigh)
    return ((half >>> (bit & 31)) & 1) === 1
  }

  #advance(place: number, count: number): void {
    const ahead = count - (this.#get(place, field.highest) >>> 0)
    if (ahead > 0) {
      this.#shiftWindow(place, ahead)
      this.#set(place, field.highest, count)
    }
    const bit = ahead > 0 ? 0 : -ahead
    const half = bit < 32 ? field.windowLow : field.windowHigh
    this.#set(place, half, this.#get(place, half) | (1 << (bit & 31)))
  }

  #shiftWindow(place: number, by: number): void {
    const low = this.#get(place, field.windowLow)
    const high = this.#get(place, field.windowHigh)
    const isHalf = by >= 32
    const rest = by & 31
    const carried = rest === 0 ? 0 : low >>> (32 - rest)
    this.#set(place, field.windowLow, isHalf ? 0 : low << rest)
    const shifted = isHalf ? low << rest : (high << rest) | carried
    this.#set(place, field.windowHigh, by >= windowBits ? 0 : shifted)
  }

  #isUser(place: number): boolean {
    return (
      this.#get(place, field.userLow) === this.#tag.low && this.#get(place, field.userHigh) === this.#tag.high
    )
  }

  #noteUser(place: number): void {
    this.#set(place, field.userLow, this.#tag.low)
    this.#set(place, field.userHigh, this.#tag.high)
  }

  #get(place: number, name: number): number {
    return this.#places.getInt32(place + 4 * name, true)
  }

  #set(place: number, name: number, value: number): void {
    this.#places.setInt32(place + 4 * name, value, true)
  }
}
