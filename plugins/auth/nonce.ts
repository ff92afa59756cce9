import { timingSafeEqual } from 'node:crypto'
import { type Clock, type Flow, KeyedDigest, type Random } from '../../src/plugin/index.ts'
import { type Algorithm, algorithms, md5 } from './digest.ts'

/**
 * Nonces that need no memory: what they say is signed with a key of ours (RFC 7616 §3.3, §5.5).
 *
 *   4 octets   when it was issued, unix seconds
 *   7 octets   random: two challenges never share a nonce, so that each has a nonce count of its own
 *   1 octet    what the challenge offered: bits 0-1 qop, bits 2-4 algorithm
 *   16 octets  keyed digest of these, the realm, and what the nonce is bound to
 *   8 octets   keyed digest of these and the exact flow: who answers from there has received our challenge there
 *
 * 36 octets are 48 characters of base64, without padding.
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
}

const headOctets = 12
const macOctets = 16
const flowMacOctets = 8
const textLength = ((headOctets + macOctets + flowMacOctets) * 4) / 3

export class NonceMint {
  readonly #clock: Clock
  readonly #random: Random
  readonly #digest: KeyedDigest
  readonly #expireSeconds: number
  readonly #driftSeconds: number
  /** The wall clock is read once: a jump of the host's date neither ages nor renews a nonce. */
  readonly #startSeconds: number
  readonly #startMonotonic: number

  constructor(
    clock: Clock,
    random: Random,
    secret: Buffer,
    lifetime: { expireSeconds: number; driftSeconds: number },
  ) {
    this.#clock = clock
    this.#random = random
    this.#digest = new KeyedDigest(secret)
    this.#expireSeconds = lifetime.expireSeconds
    this.#driftSeconds = lifetime.driftSeconds
    this.#startSeconds = clock.wall() / 1000
    this.#startMonotonic = clock.now()
  }

  issue(offer: Offer, binding: Binding): string {
    const nonce = Buffer.alloc(headOctets + macOctets + flowMacOctets)
    nonce.writeUInt32BE(this.#seconds() >>> 0, 0)
    nonce.set(this.#random.bytes(7), 4)
    nonce.writeUInt8(flagsOf(offer), 11)
    const head = nonce.subarray(0, headOctets)
    nonce.set(this.#mac(head, binding), headOctets)
    nonce.set(this.#flowMac(head, binding.flow), headOctets + macOctets)
    return nonce.toString('base64')
  }

  read(text: string, binding: Binding): NonceReading {
    const nonce = text.length === textLength ? Buffer.from(text, 'base64') : Buffer.alloc(0)
    if (nonce.length !== headOctets + macOctets + flowMacOctets) return foreign
    const head = nonce.subarray(0, headOctets)
    const offer = offerOf(nonce.readUInt8(11))
    const flowProven = timingSafeEqual(
      nonce.subarray(headOctets + macOctets),
      this.#flowMac(head, binding.flow),
    )
    const isBound = timingSafeEqual(
      nonce.subarray(headOctets, headOctets + macOctets),
      this.#mac(head, binding),
    )
    if (!isBound) return { state: 'foreign', offer: null, flowProven: false }
    return { state: this.#isInTime(nonce.readUInt32BE(0), flowProven) ? 'fresh' : 'stale', offer, flowProven }
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

  #mac(head: Buffer, binding: Binding): Buffer {
    const text = `nonce\0${head.toString('latin1')}${binding.realm}\0${binding.bound}`
    return this.#digest.octets(text).subarray(0, macOctets)
  }

  #flowMac(head: Buffer, flow: Flow): Buffer {
    const text = `flow\0${head.toString('latin1')}${flow.socket.label}\0${flow.address}\0${flow.port}`
    return this.#digest.octets(text).subarray(0, flowMacOctets)
  }
}

const foreign: NonceReading = { state: 'foreign', offer: null, flowProven: false }

const qops: readonly Offer['qop'][] = ['', 'auth', 'auth-int', 'auth,auth-int']

function flagsOf(offer: Offer): number {
  return qops.indexOf(offer.qop) | (offer.algorithm.number << 2)
}

function offerOf(flags: number): Offer {
  const algorithm = algorithms.find(({ number }) => number === ((flags >> 2) & 7)) ?? md5
  return { algorithm, qop: qops[flags & 3] ?? '' }
}
