import type { Octets } from '../store/packed-heap.ts'
import { allMethods, type Binding } from './binding.ts'
import { bindingBits, type SharedTexts } from './binding-codec.ts'
import { hashText } from './ruid.ts'

/**
 * The usual REGISTER, on a packed record (binding-codec.ts): the same device again. What the record says is compared
 * with what came, octet by octet and number by number, and Call-ID, CSeq and times are written over where they lie.
 *
 * Hot: nothing is decoded and nothing made. A binding that is decoded, compared as an object and encoded again takes
 * 1.8 us; this takes 0.3.
 */
export type Refreshed = Omit<Binding, 'ruid' | 'flow' | 'elsewhere'>

// As constants of this module V8 compiles them into the code; members of what is imported it reads each time.
const { bit, origins, originMask, trusts, trustShift, trustMask } = bindingBits
const hasPath = bit.path
const hasInstance = bit.instance
const hasRegId = bit.regId
const hasFlags = bit.flags
const hasBranchFlags = bit.branchFlags
const isByAor = bit.byAor
const hasBy = bit.by
const hasReceived = bit.received
const isSocketShared = bit.socketShared
const hasSocket = bit.socket
const hasQ = bit.q
const isUserAgentShared = bit.userAgentShared
const hasUserAgent = bit.userAgent
const hasMethods = bit.methods
const isPermanent = bit.permanent
const isVolatile = bit.volatile
const isRuidMade = bit.ruidMade

/** Which of the bits are said by what came; how its texts are kept is the record's choice. */
const toldBits =
  hasReceived |
  hasPath |
  hasQ |
  hasMethods |
  hasInstance |
  hasRegId |
  hasFlags |
  hasBranchFlags |
  isPermanent |
  isVolatile

export class RecordRefresh {
  readonly #shared: SharedTexts
  // What repeats() found in the record.
  #bits = 0
  #ruidAt = 0
  #ruidTextAt = 0
  #callIdAt = 0
  #isSameCall = false
  #cseqAt = 0
  #cseq = 0
  /** On the record's clock. */
  #expires = 0

  constructor(shared: SharedTexts) {
    this.#shared = shared
  }

  /**
   * Is the record at `at` one binding, and all of it but ruid, Call-ID, CSeq and times as in `after`, with a Call-ID of
   * the same length? The other methods are about the record that was looked at last.
   */
  repeats(bytes: Octets, at: number, after: Refreshed): boolean {
    const { callId } = after
    next = at
    const length = number(bytes)
    text = next + length
    if (number(bytes) !== 1) return false
    const bits = number(bytes)
    if (!isOfKind(bits, after)) return false
    this.#bits = bits
    this.#ruidAt = next
    this.#ruidTextAt = text
    const ruid = number(bytes)
    if ((bits & isRuidMade) !== 0) number(bytes)
    else text += ruid
    if (!isNextText(bytes, after.contact)) return false
    if (number(bytes) !== callId.length) return false
    const different = difference(bytes, text, callId)
    if (different > 0xff) return false
    this.#isSameCall = different === 0
    this.#callIdAt = text
    text += callId.length
    this.#cseqAt = next
    this.#cseq = number(bytes)
    const modified = signed(bytes)
    this.#expires = (bits & isPermanent) === 0 ? modified + signed(bytes) : Number.POSITIVE_INFINITY
    return this.#repeatsRest(bytes, bits, after)
  }

  /** What comes after the times, in the codec's order. */
  #repeatsRest(bytes: Octets, bits: number, after: Refreshed): boolean {
    if ((bits & hasBy) !== 0 && !isNextText(bytes, after.by)) return false
    if ((bits & hasReceived) !== 0 && !isNextText(bytes, after.received)) return false
    if ((bits & hasPath) !== 0 && !isNextPath(bytes, after.path)) return false
    if (!this.#isNextShared(bytes, bits & isSocketShared, bits & hasSocket, after.socket)) return false
    if ((bits & hasQ) !== 0 && number(bytes) !== after.q) return false
    if (!this.#isNextShared(bytes, bits & isUserAgentShared, bits & hasUserAgent, after.userAgent))
      return false
    if ((bits & hasMethods) !== 0 && signed(bytes) !== after.methods) return false
    if ((bits & hasInstance) !== 0 && !isNextText(bytes, after.instance)) return false
    if ((bits & hasRegId) !== 0 && signed(bytes) !== after.regId) return false
    if ((bits & hasFlags) !== 0 && signed(bytes) !== after.flags) return false
    return (bits & hasBranchFlags) === 0 || signed(bytes) === after.branchFlags
  }

  #isNextShared(bytes: Octets, isShared: number, isHere: number, expected: string): boolean {
    if (isShared !== 0) return this.#shared.textOf(number(bytes)) === expected
    return isHere === 0 ? expected === '' : isNextText(bytes, expected)
  }

  /** RFC 3261 §10.3 step 7: of another Call-ID, or with a higher CSeq of the same one. */
  isOlderThan({ cseq }: Refreshed): boolean {
    return !this.#isSameCall || cseq > this.#cseq
  }

  hasExpired(now: number, shift: number): boolean {
    return this.#expires - shift <= now
  }

  isNamed(bytes: Octets, ruid: string, hash: number): boolean {
    next = this.#ruidAt
    const first = number(bytes)
    if ((this.#bits & isRuidMade) === 0) {
      return first === ruid.length && difference(bytes, this.#ruidTextAt, ruid) === 0
    }
    return `${this.#shared.textOf(first)}${number(bytes).toString(16)}-${hashText(hash)}` === ruid
  }

  /** Call-ID, CSeq and times of `after`. False if a number takes more octets than there are: then nothing was written. */
  write(bytes: Octets, after: Refreshed, shift: number): boolean {
    const modified = Math.round(after.modifiedAt + shift)
    const cseqEnd = endOfNumber(bytes, this.#cseqAt)
    const modifiedEnd = endOfNumber(bytes, cseqEnd)
    if (!fits(after.cseq, cseqEnd - this.#cseqAt)) return false
    if (!fits(unsigned(modified), modifiedEnd - cseqEnd)) return false
    if ((this.#bits & isPermanent) === 0) {
      const lifetime = unsigned(Math.floor(after.expiresAt + shift) - modified)
      const end = endOfNumber(bytes, modifiedEnd)
      if (!fits(lifetime, end - modifiedEnd)) return false
      put(bytes, modifiedEnd, end, lifetime)
    }
    put(bytes, this.#cseqAt, cseqEnd, after.cseq)
    put(bytes, cseqEnd, modifiedEnd, unsigned(modified))
    if (!this.#isSameCall) putText(bytes, this.#callIdAt, after.callId)
    return true
  }
}

function isOfKind(bits: number, after: Refreshed): boolean {
  if (origins[bits & originMask] !== after.origin) return false
  if (trusts[(bits >> trustShift) & trustMask] !== after.trust) return false
  if ((bits & hasBy) === 0 && after.by !== ((bits & isByAor) === 0 ? '' : after.aor)) return false
  const told =
    (after.received === '' ? 0 : hasReceived) |
    (after.path.length === 0 ? 0 : hasPath) |
    (after.q < 0 ? 0 : hasQ) |
    (after.methods === allMethods ? 0 : hasMethods) |
    (after.instance === '' ? 0 : hasInstance) |
    (after.regId === 0 ? 0 : hasRegId) |
    (after.flags === 0 ? 0 : hasFlags) |
    (after.branchFlags === 0 ? 0 : hasBranchFlags) |
    (Number.isFinite(after.expiresAt) ? 0 : isPermanent) |
    (after.isDurable ? 0 : isVolatile)
  return (bits & toldBits) === told
}

// Where the next number and the next text of the record are: two numbers here, since one reader takes what it finds.
let next = 0
let text = 0

function number(bytes: Octets): number {
  let octet = bytes[next++] ?? 0
  let value = octet & 0x7f
  for (let scale = 128; octet >= 0x80; scale *= 128) {
    octet = bytes[next++] ?? 0
    value += (octet & 0x7f) * scale
  }
  return value
}

function signed(bytes: Octets): number {
  const value = number(bytes)
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2
}

function isNextText(bytes: Octets, expected: string): boolean {
  const at = text
  text += expected.length
  return number(bytes) === expected.length && difference(bytes, at, expected) === 0
}

function isNextPath(bytes: Octets, path: readonly string[]): boolean {
  if (number(bytes) !== path.length) return false
  for (const hop of path) if (!isNextText(bytes, hop)) return false
  return true
}

/** 0: the octets are the text's. More than 255: the text has characters that are no octets. */
function difference(bytes: Octets, at: number, expected: string): number {
  let bits = 0
  for (let i = 0; i < expected.length; i++) bits |= (bytes[at + i] ?? 0) ^ expected.charCodeAt(i)
  return bits
}

/** Behind the number that begins at `at`. */
function endOfNumber(bytes: Octets, at: number): number {
  let end = at
  while ((bytes[end] ?? 0) >= 0x80) end++
  return end + 1
}

function unsigned(value: number): number {
  return value >= 0 ? value * 2 : -value * 2 - 1
}

/** By octets: what is too much for so many. A table, since V8 computes a power as slowly as any other (25 ns). */
const tooMuch = Array.from({ length: 10 }, (_, octets) => 2 ** (7 * octets))

function fits(value: number, octets: number): boolean {
  return value < (tooMuch[octets] ?? 0)
}

/** In all the octets that there are, however few it needs. */
function put(bytes: Octets, at: number, end: number, value: number): void {
  let left = value
  for (let i = at; i < end - 1; i++) {
    const rest = Math.floor(left / 128)
    bytes[i] = (left - rest * 128) | 0x80
    left = rest
  }
  bytes[end - 1] = left
}

function putText(bytes: Octets, at: number, value: string): void {
  for (let i = 0; i < value.length; i++) bytes[at + i] = value.charCodeAt(i)
}
