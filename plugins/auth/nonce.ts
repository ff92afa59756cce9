import { hash } from 'node:crypto'
import { type Clock, type Flow, type NativeDigest, type Random, SipHash } from '../../src/plugin/index.ts'
import { type Algorithm, algorithms, md5 } from './digest.ts'
import { DigestMemory } from './digest-memory.ts'

/**
 * Nonces that need no memory: what they say is signed with keys of ours (RFC 7616 §3.3, §5.5).
 *
 *   4 octets   when it was issued, unix seconds
 *   3 octets   19 bits that count: two challenges never share a nonce, so that each has a nonce count of its own;
 *              5 bits of what the challenge offered: algorithm and qop
 *   8 octets   tag of these, the realm, and what the nonce is bound to
 *   7 octets   tag of the tag and the exact flow: who answers from there has received our challenge there
 *
 * 22 octets are 30 characters of base64url: with them the response of most clients is a digest over two blocks of MD5
 * instead of three. Why 64 and 56 bits are enough: docs/decisions/0004.
 *
 * Hot: one is made and one is read for every request that is authenticated. Where there is an addon it signs them
 * (digest-memory.ts), and here only time and counting are left.
 */
export interface Offer {
  readonly algorithm: Algorithm
  readonly qop: '' | 'auth' | 'auth-int' | 'auth,auth-int'
}

/** What a nonce is good for, besides its flow: see `bindingOf` in binding.ts. */
export interface Binding {
  readonly realm: string
  /** Further values that must be the same when it comes back. */
  readonly bound: string
  readonly flow: Flow
}

/**
 * - fresh: ours, and not too old
 * - stale: ours once: too old, or of another source, or from before a restart
 * - foreign: never ours, or the secret has changed
 */
export interface NonceReading {
  readonly state: 'fresh' | 'stale' | 'foreign'
  /** Null if it is foreign. */
  readonly offer: Offer | null
  /** It was sent to the very flow that it comes back from. */
  readonly flowProven: boolean
  /** When it was issued and what it counted, as they stand in it: no two nonces of ours have both. */
  readonly issued: number
  readonly serial: number
}

const nonceOctets = 22
const textLength = 30
const serialBits = 19
const offerBits = 5

export class NonceMint {
  /** Reads usual answers, with their nonces; null without an addon. */
  readonly memory: DigestMemory | null
  readonly #clock: Clock
  readonly #tag: SipHash
  readonly #flowTag: SipHash
  readonly #expireSeconds: number
  readonly #driftSeconds: number
  /** The wall clock is read once: a jump of the host's date neither ages nor renews a nonce. */
  readonly #startSeconds: number
  readonly #startMonotonic: number
  /** An octet more than a nonce has: numbers of three octets are written as four. */
  readonly #octets = Buffer.alloc(nonceOctets + 1) as Base64Octets
  readonly #nonce = new DataView(this.#octets.buffer, this.#octets.byteOffset, nonceOctets + 1)
  /** Routers with one secret begin to count at different places; workers of one have each a range for itself. */
  readonly #serialBase: number
  readonly #serialsCount: number
  #issuedCount: number

  constructor(
    clock: Clock,
    random: Random,
    secret: Buffer,
    lifetime: { expireSeconds: number; driftSeconds: number },
    worker: { readonly index: number; readonly count: number } = { index: 0, count: 1 },
    native: NativeDigest | null = null,
  ) {
    this.#clock = clock
    const keys = hash('sha256', Buffer.concat([Buffer.from('nonce\0'), secret]), 'buffer')
    const tagKey = keys.subarray(0, 16)
    const flowKey = keys.subarray(16)
    this.#tag = new SipHash(tagKey)
    this.#flowTag = new SipHash(flowKey)
    this.memory = native === null ? null : new DigestMemory(native, tagKey, flowKey)
    this.#serialsCount = Math.floor((1 << serialBits) / worker.count)
    this.#serialBase = worker.index * this.#serialsCount
    this.#issuedCount = random.integer(this.#serialsCount)
    this.#expireSeconds = lifetime.expireSeconds
    this.#driftSeconds = lifetime.driftSeconds
    this.#startSeconds = clock.wall() / 1000
    this.#startMonotonic = clock.now()
  }

  /** A new nonce, between what stands before and after it in its challenge. */
  issue(offer: Offer, binding: Binding, before = '', after = ''): string {
    const seconds = this.#seconds() | 0
    this.#issuedCount = (this.#issuedCount + 1) % this.#serialsCount
    const serial = ((this.#serialBase + this.#issuedCount) << offerBits) | offerNumber(offer)
    const issued = this.memory?.issue(seconds, serial, binding, before, after)
    return issued ?? before + this.#issue(seconds, serial, binding) + after
  }

  #issue(seconds: number, serial: number, binding: Binding): string {
    const nonce = this.#nonce
    this.#sign(seconds, serial, binding)
    nonce.setInt32(0, seconds)
    nonce.setInt32(4, serial << 8)
    nonce.setInt32(7, this.#tag.high)
    nonce.setInt32(11, this.#tag.low)
    nonce.setInt32(15, this.#flowTag.high)
    nonce.setInt32(19, this.#flowTag.low & ~0xff)
    return this.#octets.base64urlSlice(0, nonceOctets)
  }

  read(text: string, binding: Binding): NonceReading {
    const nonce = this.#nonce
    if (text.length !== textLength) return foreign
    if (this.#octets.base64urlWrite(text, 0, nonceOctets) !== nonceOctets) return foreign
    const seconds = nonce.getInt32(0)
    const serial = nonce.getInt32(4) >>> 8
    this.#sign(seconds, serial, binding)
    const differs = (nonce.getInt32(7) ^ this.#tag.high) | (nonce.getInt32(11) ^ this.#tag.low)
    if (differs !== 0) return foreign
    const differsInFlow =
      (nonce.getInt32(15) ^ this.#flowTag.high) | ((nonce.getInt32(19) ^ this.#flowTag.low) & ~0xff)
    return this.#reading(seconds, serial, differsInFlow === 0)
  }

  /** The nonce of the answer that was read last. */
  readIn(memory: DigestMemory): NonceReading {
    return memory.isOurs ? this.#reading(memory.seconds, memory.serial, memory.isFlowProven) : foreign
  }

  #reading(seconds: number, serial: number, flowProven: boolean): NonceReading {
    const issued = seconds >>> 0
    return {
      state: this.#isInTime(issued, flowProven) ? 'fresh' : 'stale',
      offer: offers[serial & ((1 << offerBits) - 1)] ?? plainOffer,
      flowProven,
      issued,
      serial,
    }
  }

  /**
   * A nonce from before our start is good only on its own flow: which of its counts were used is forgotten, and
   * only who can read at that flow could have recorded them.
   */
  #isInTime(issuedSeconds: number, flowProven: boolean): boolean {
    const now = this.#seconds()
    if (issuedSeconds > now + this.#driftSeconds) return false
    if (issuedSeconds + this.#expireSeconds < now) return false
    return flowProven || issuedSeconds >= Math.floor(this.#startSeconds)
  }

  #seconds(): number {
    return Math.floor(this.#startSeconds + (this.#clock.now() - this.#startMonotonic) / 1000)
  }

  /** Computes both tags. Where one text ends and the next begins is told by their lengths, which come first. */
  #sign(seconds: number, serial: number, { realm, bound, flow }: Binding): void {
    const tag = this.#tag
    tag.start()
    tag.word(seconds)
    tag.word(serial)
    tag.word(realm.length)
    tag.text(realm)
    tag.text(bound)
    tag.finish()
    const flowTag = this.#flowTag
    flowTag.start()
    flowTag.word(tag.high)
    flowTag.word(tag.low)
    flowTag.word(flow.port)
    flowTag.word(flow.address.length)
    flowTag.text(flow.address)
    flowTag.text(flow.socket.label)
    flowTag.finish()
  }
}

/** What Buffer has and its types leave out: without the way through toString() and write(), 50 ns each. */
interface Base64Octets extends Buffer {
  base64urlSlice(start: number, end: number): string
  base64urlWrite(text: string, offset: number, length: number): number
}

const foreign: NonceReading = { state: 'foreign', offer: null, flowProven: false, issued: 0, serial: 0 }

const qops: readonly Offer['qop'][] = ['', 'auth', 'auth-int', 'auth,auth-int']

/** All that can be offered, by its number. */
const offers: readonly Offer[] = Array.from({ length: 1 << offerBits }, (_, number) => ({
  algorithm: algorithms.find((algorithm) => algorithm.number === number >> 2) ?? md5,
  qop: qops[number & 3] ?? '',
}))

const plainOffer: Offer = { algorithm: md5, qop: '' }

function offerNumber({ algorithm, qop }: Offer): number {
  return qops.indexOf(qop) | (algorithm.number << 2)
}
