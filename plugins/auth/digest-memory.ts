import { flat, HeaderId, type NativeDigest, type SipMessage } from '../../src/plugin/index.ts'
import type { DigestAnswer, Proof } from './digest.ts'
import type { Binding } from './nonce.ts'
import type { UserTag } from './nonce-uses.ts'

/**
 * Digest authentication as nearly all do it, in C: native/digest.c reads the credentials, signs nonces and computes MD5
 * in memory that both sides see. 3 microseconds of an authenticated request, and 0.5 of a challenge, less than the
 * same in JavaScript, which stays for whatever is not usual, does not fit, or has no addon.
 *
 * Hot. The numbers are those of native/digest.c; a law compares what they lead to with what JavaScript finds
 * (test/plugins/auth-native.test.ts).
 *
 * As an answer it is the one that was read last: good until the next is read.
 */
export class DigestMemory implements DigestAnswer, UserTag {
  readonly #calls: NativeDigest
  readonly #octets = Buffer.from(new ArrayBuffer(digestOctets)) as LatinOctets
  readonly #words = new Int32Array(this.#octets.buffer, 0, wordsCount)
  /** What stands there now, the secret excepted: most of it is the same for each message. */
  readonly #parts = ['', '', '', '', '', '', '', '']
  #text = ''

  /** Keys of 16 octets each. */
  constructor(calls: NativeDigest, tagKey: Uint8Array, flowKey: Uint8Array) {
    this.#calls = calls
    this.#octets.set(tagKey, 4 * word.tagKey)
    this.#octets.set(flowKey, 4 * word.flowKey)
  }

  /** From now on whoever uses a nonce is signed with this key of 16 octets, too: nonce-uses.ts. */
  signUsersWith(key: Uint8Array): void {
    this.#octets.set(key, 4 * word.userKey)
  }

  /** Null: it has to be made without. */
  issue(seconds: number, serial: number, binding: Binding, before: string, after: string): string | null {
    if (!this.#bind(binding) || !this.#put(part.before, before) || !this.#put(part.after, after)) return null
    this.#words[word.seconds] = seconds
    this.#words[word.serial] = serial
    return this.#calls.issueNonce(this.#octets)
  }

  /** Whether that header has a usual answer for the binding's realm. */
  read(message: SipMessage, index: number, binding: Binding): boolean {
    const { text } = message
    const words = this.#words
    const end = message.headerValueEnd(index)
    const callId = message.first(HeaderId.callId)
    const callIdEnd = callId === -1 ? 0 : message.headerValueEnd(callId)
    const octets = Math.max(end, callIdEnd)
    if (octets > textOctets || !this.#bind(binding) || !this.#put(part.method, message.method)) return false
    this.#octets.latin1Write(text, textAt, octets)
    this.#text = text
    words[word.valueStart] = message.headerValueStart(index)
    words[word.valueEnd] = end
    words[word.callIdStart] = callId === -1 ? 0 : message.headerValueStart(callId)
    words[word.callIdEnd] = callIdEnd
    words[word.requestUriStart] = message.requestUriStart
    words[word.requestUriEnd] = message.requestUriEnd
    words[word.cseqNumber] = message.cseq?.number ?? 0
    this.#calls.readDigest(this.#octets)
    return words[word.isUsual] === 1
  }

  /** Whether the answer that was read last is the right one; null: it has to be asked without. */
  isRight(proof: Proof, method: string): boolean | null {
    const secret = proof.kind === 'ha1' ? proof.ha1 : proof.password
    if (secret.length > partOctets || !this.#put(part.method, method)) return null
    // Always: the time it takes must not say whether two users have the same.
    this.#write(part.secret, secret)
    this.#words[word.secretIsHa1] = proof.kind === 'ha1' ? 1 : 0
    this.#calls.proveDigest(this.#octets)
    return this.#words[word.isRight] === 1
  }

  /** Of the nonce that was read last, as are the next three. */
  get seconds(): number {
    return this.#words[word.seconds] as number
  }

  get serial(): number {
    return this.#words[word.serial] as number
  }

  get isOurs(): boolean {
    return this.#words[word.isOurs] === 1
  }

  get isFlowProven(): boolean {
    return this.#words[word.isFlowProven] === 1
  }

  /** Whether the answer is for the Request-URI, octet by octet. */
  get isForRequestUri(): boolean {
    return this.#words[word.isForRequestUri] === 1
  }

  /** The tag of the request that was read last. */
  get low(): number {
    return this.#words[word.userLow] as number
  }

  get high(): number {
    return this.#words[word.userHigh] as number
  }

  get username(): string {
    return this.#param(param.username)
  }

  get realm(): string {
    return this.#param(param.realm)
  }

  get nonce(): string {
    return this.#param(param.nonce)
  }

  get uri(): string {
    return this.#param(param.uri)
  }

  get response(): string {
    return this.#param(param.response)
  }

  get algorithm(): string {
    return this.#param(param.algorithm)
  }

  get qop(): '' | 'auth' {
    return this.#words[param.qop] === 0 ? '' : 'auth'
  }

  get nc(): string {
    return this.#param(param.nc)
  }

  get cnonce(): string {
    return this.#param(param.cnonce)
  }

  #param(at: number): string {
    return this.#text.slice(this.#words[at], this.#words[at + 1])
  }

  #bind({ realm, bound, flow }: Binding): boolean {
    this.#words[word.port] = flow.port
    return (
      this.#put(part.realm, realm) &&
      this.#put(part.bound, bound) &&
      this.#put(part.address, flow.address) &&
      this.#put(part.label, flow.socket.label)
    )
  }

  /** False if there is no room for it. */
  #put(place: number, text: string): boolean {
    if (text === this.#parts[place]) return true
    if (text.length > partOctets) return false
    this.#parts[place] = flat(text)
    this.#write(place, text)
    return true
  }

  #write(place: number, text: string): void {
    this.#words[word.realmLength + place] = text.length
    this.#octets.latin1Write(text, partsAt + place * partOctets, text.length)
  }
}

/** What Buffer has and its types leave out. */
interface LatinOctets extends Buffer<ArrayBuffer> {
  latin1Write(text: string, offset: number, length: number): number
}

const word = {
  valueStart: 0,
  valueEnd: 1,
  realmLength: 2,
  secretIsHa1: 10,
  port: 11,
  callIdStart: 12,
  callIdEnd: 13,
  requestUriStart: 14,
  requestUriEnd: 15,
  cseqNumber: 16,
  tagKey: 17,
  flowKey: 21,
  userKey: 25,
  seconds: 29,
  serial: 30,
  isUsual: 31,
  isOurs: 32,
  isFlowProven: 33,
  isRight: 34,
  isForRequestUri: 35,
  userLow: 36,
  userHigh: 37,
} as const

/** In the order of their lengths and of their places. */
const part = { realm: 0, bound: 1, address: 2, label: 3, method: 4, secret: 5, before: 6, after: 7 } as const

/** Where the word with a value's start stands; that of its end follows. */
const param = {
  username: 39,
  realm: 41,
  nonce: 43,
  uri: 45,
  response: 47,
  algorithm: 49,
  qop: 51,
  nc: 53,
  cnonce: 55,
} as const

const wordsCount = 64
const partOctets = 256
const partsAt = 4 * wordsCount
/** Behind them what only C looks at. */
const textAt = partsAt + 12 * partOctets
const textOctets = 4096
const digestOctets = textAt + textOctets
