import type { Octets } from '../store/packed-heap.ts'
import { allMethods, type Binding, type Origin, type Trust } from './binding.ts'
import { hashInRuid, hashText } from './ruid.ts'

/**
 * Bindings as octets: a few numbers each, and the texts of all of them in one piece at the end, so that reading takes
 * one text out of the buffer and cuts it up. What a binding has not takes no room; a usual one takes 90 octets.
 *
 * The address-of-record and the flow are not in it: whoever keeps the octets knows them. Times are whole milliseconds,
 * on whatever clock the `shift` makes of the process's.
 *
 *   length of the numbers, numbers of each binding, texts of each binding
 *
 * Numbers are written seven bits an octet, low ones first; those that may be negative with the sign as lowest bit.
 */

/** Texts that many bindings share, by number: store/packed-strings.ts. */
export interface SharedTexts {
  /** -1: it is none of them. */
  numberOf(text: string): number
  textOf(number: number): string
}

/** What has no shared texts: the store, where each record is to be read by itself. */
export const noSharedTexts: SharedTexts = { numberOf: () => -1, textOf: () => '' }

const origins: readonly Origin[] = ['learned', 'delegated', 'registered', 'static']
const trusts: readonly Trust[] = ['digest', 'source', 'delegate', 'script', 'operator']

const originMask = 0x3
const trustShift = 2
const trustMask = 0x7
const bit = {
  byAor: 1 << 5,
  by: 1 << 6,
  received: 1 << 7,
  path: 1 << 8,
  socketShared: 1 << 9,
  socket: 1 << 10,
  q: 1 << 11,
  userAgentShared: 1 << 12,
  userAgent: 1 << 13,
  methods: 1 << 14,
  instance: 1 << 15,
  regId: 1 << 16,
  flags: 1 << 17,
  branchFlags: 1 << 18,
  permanent: 1 << 19,
  volatile: 1 << 20,
  /** The ruid is `<shared text><number>-<hash>`; otherwise its text is here. */
  ruidMade: 1 << 21,
} as const

/** What the first number of a binding says, for who reads records too (record-refresh.ts). */
export const bindingBits = { bit, origins, originMask, trusts, trustShift, trustMask } as const

/**
 * As many octets as a router's first day and a half needs: who refreshes a binding finds room for the time in its record
 * (record-refresh.ts), which it would not 8 seconds and 17 minutes after the start.
 */
const modifiedOctetsMin = 4

export class BindingWriter {
  readonly #shared: SharedTexts
  #numbers = Buffer.alloc(4_096) as Buffer as Octets
  #length = 0
  #text = ''

  constructor(shared: SharedTexts) {
    this.#shared = shared
  }

  /** Takes them in, and says how many octets they will be. */
  begin(bindings: readonly Binding[], hash: number, shift: number): number {
    this.#write(bindings, hash, shift)
    // A name that an operator typed may have characters beyond Latin-1: they count as the octets they are on the wire.
    if (wide.test(this.#text)) this.#write(bindings.map(narrowed), hash, shift)
    return octetsOfNumber(this.#length) + this.#length + this.#text.length
  }

  /** Writes what begin() took in. */
  finish(into: Octets, at: number): void {
    let to = at
    let length = this.#length
    for (; length >= 0x80; length = length >>> 7) into[to++] = (length & 0x7f) | 0x80
    into[to++] = length
    const numbers = this.#numbers
    for (let i = 0; i < this.#length; i++) into[to++] = numbers[i] ?? 0
    into.latin1Write(this.#text, to, this.#text.length)
  }

  #write(bindings: readonly Binding[], hash: number, shift: number): void {
    this.#length = 0
    this.#text = ''
    this.#number(bindings.length)
    for (const binding of bindings) this.#binding(binding, hash, shift)
  }

  #binding(binding: Binding, hash: number, shift: number): void {
    const shared = this.#shared
    const made = shared === noSharedTexts ? -1 : madeAt(binding.ruid, hash)
    const maker = made < 0 ? -1 : shared.numberOf(binding.ruid.slice(0, made))
    const socket = binding.socket === '' ? -1 : shared.numberOf(binding.socket)
    const userAgent = binding.userAgent === '' ? -1 : shared.numberOf(binding.userAgent)
    const isPermanent = !Number.isFinite(binding.expiresAt)
    const bits =
      origins.indexOf(binding.origin) |
      (trusts.indexOf(binding.trust) << trustShift) |
      (binding.by === binding.aor ? bit.byAor : binding.by === '' ? 0 : bit.by) |
      (binding.received === '' ? 0 : bit.received) |
      (binding.path.length === 0 ? 0 : bit.path) |
      (socket >= 0 ? bit.socketShared : binding.socket === '' ? 0 : bit.socket) |
      (binding.q < 0 ? 0 : bit.q) |
      (userAgent >= 0 ? bit.userAgentShared : binding.userAgent === '' ? 0 : bit.userAgent) |
      (binding.methods === allMethods ? 0 : bit.methods) |
      (binding.instance === '' ? 0 : bit.instance) |
      (binding.regId === 0 ? 0 : bit.regId) |
      (binding.flags === 0 ? 0 : bit.flags) |
      (binding.branchFlags === 0 ? 0 : bit.branchFlags) |
      (isPermanent ? bit.permanent : 0) |
      (binding.isDurable ? 0 : bit.volatile) |
      (maker >= 0 ? bit.ruidMade : 0)
    this.#number(bits)
    if (maker >= 0) {
      this.#number(maker)
      this.#number(Number.parseInt(binding.ruid.slice(made, -9), 16))
    } else this.#texts(binding.ruid)
    this.#texts(binding.contact)
    this.#texts(binding.callId)
    this.#order(binding, shift)
    if ((bits & bit.by) !== 0) this.#texts(binding.by)
    if ((bits & bit.received) !== 0) this.#texts(binding.received)
    if ((bits & bit.path) !== 0) {
      this.#number(binding.path.length)
      for (const hop of binding.path) this.#texts(hop)
    }
    if (socket >= 0) this.#number(socket)
    else if (binding.socket !== '') this.#texts(binding.socket)
    if (binding.q >= 0) this.#number(binding.q)
    if (userAgent >= 0) this.#number(userAgent)
    else if (binding.userAgent !== '') this.#texts(binding.userAgent)
    if ((bits & bit.methods) !== 0) this.#signed(binding.methods)
    if ((bits & bit.instance) !== 0) this.#texts(binding.instance)
    if ((bits & bit.regId) !== 0) this.#signed(binding.regId)
    if ((bits & bit.flags) !== 0) this.#signed(binding.flags)
    if ((bits & bit.branchFlags) !== 0) this.#signed(binding.branchFlags)
  }

  /** What a refresh changes, side by side: record-refresh.ts. */
  #order({ cseq, modifiedAt, expiresAt }: Binding, shift: number): void {
    this.#number(cseq)
    const modified = Math.round(modifiedAt + shift)
    this.#signed(modified, modifiedOctetsMin)
    // Rounded down: a lifetime that is told right afterwards is no second longer than what was granted.
    if (Number.isFinite(expiresAt)) this.#signed(Math.floor(expiresAt + shift) - modified)
  }

  #texts(text: string): void {
    this.#number(text.length)
    this.#text += text
  }

  #signed(value: number, octetsMin = 1): void {
    this.#number(value >= 0 ? value * 2 : -value * 2 - 1, octetsMin)
  }

  #number(value: number, octetsMin = 1): void {
    if (this.#length + 10 > this.#numbers.length) {
      this.#numbers = Buffer.concat([this.#numbers, this.#numbers]) as Buffer as Octets
    }
    const numbers = this.#numbers
    let left = value
    // Bits reach no further than 32: four octets of what is longer, and the rest.
    if (left >= 0x80000000) {
      left = Math.floor(value / 0x10000000)
      const low = value - left * 0x10000000
      for (let shift = 0; shift < 28; shift += 7) numbers[this.#length++] = (low >>> shift) | 0x80
    }
    const shortest = this.#length + octetsMin - 1
    for (; left >= 0x80 || this.#length < shortest; left = left >>> 7) {
      numbers[this.#length++] = (left & 0x7f) | 0x80
    }
    numbers[this.#length++] = left
  }
}

export class BindingReader {
  readonly #shared: SharedTexts
  #bytes = Buffer.alloc(0) as Buffer as Octets
  #at = 0
  #text = ''
  #textAt = 0

  constructor(shared: SharedTexts) {
    this.#shared = shared
  }

  /** What a BindingWriter with the same shared texts, hash and shift wrote from `at` to `end`. */
  read(bytes: Octets, at: number, end: number, aor: string, hash: number, shift: number): Binding[] {
    this.#bytes = bytes
    this.#at = at
    const length = this.#number()
    this.#text = bytes.latin1Slice(this.#at + length, end)
    this.#textAt = 0
    const count = this.#number()
    const bindings: Binding[] = []
    for (let i = 0; i < count; i++) bindings.push(this.#binding(aor, hash, shift))
    return bindings
  }

  #binding(aor: string, hash: number, shift: number): Binding {
    const bits = this.#number()
    const ruid =
      (bits & bit.ruidMade) !== 0
        ? `${this.#shared.textOf(this.#number())}${this.#number().toString(16)}-${hashText(hash)}`
        : this.#texts()
    const contact = this.#texts()
    const callId = this.#texts()
    const cseq = this.#number()
    const modified = this.#signed()
    const expires = (bits & bit.permanent) !== 0 ? Number.POSITIVE_INFINITY : modified + this.#signed()
    const by = (bits & bit.byAor) !== 0 ? aor : (bits & bit.by) !== 0 ? this.#texts() : ''
    const received = (bits & bit.received) !== 0 ? this.#texts() : ''
    const path = (bits & bit.path) !== 0 ? this.#hops() : noPath
    const socket = this.#sharedOr(bits, bit.socketShared, bit.socket)
    const q = (bits & bit.q) !== 0 ? this.#number() : -1
    const userAgent = this.#sharedOr(bits, bit.userAgentShared, bit.userAgent)
    const methods = (bits & bit.methods) !== 0 ? this.#signed() : allMethods
    const instance = (bits & bit.instance) !== 0 ? this.#texts() : ''
    const regId = (bits & bit.regId) !== 0 ? this.#signed() : 0
    const flags = (bits & bit.flags) !== 0 ? this.#signed() : 0
    const branchFlags = (bits & bit.branchFlags) !== 0 ? this.#signed() : 0
    // In the order of createBinding(): one shape for all bindings.
    return {
      aor,
      ruid,
      contact,
      origin: origins[bits & originMask] ?? 'registered',
      trust: trusts[(bits >> trustShift) & trustMask] ?? 'script',
      by,
      received,
      path,
      socket,
      q,
      callId,
      cseq,
      userAgent,
      methods,
      instance,
      regId,
      flags,
      branchFlags,
      expiresAt: expires - shift,
      modifiedAt: modified - shift,
      isDurable: (bits & bit.volatile) === 0,
      flow: null,
      elsewhere: null,
    }
  }

  #hops(): string[] {
    const hops: string[] = []
    for (let left = this.#number(); left > 0; left--) hops.push(this.#texts())
    return hops
  }

  #sharedOr(bits: number, isShared: number, isHere: number): string {
    if ((bits & isShared) !== 0) return this.#shared.textOf(this.#number())
    return (bits & isHere) !== 0 ? this.#texts() : ''
  }

  #texts(): string {
    const start = this.#textAt
    this.#textAt += this.#number()
    return this.#text.slice(start, this.#textAt)
  }

  #signed(): number {
    const value = this.#number()
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2
  }

  #number(): number {
    const bytes = this.#bytes
    let octet = bytes[this.#at++] ?? 0
    let value = octet & 0x7f
    for (let scale = 128; octet >= 0x80; scale *= 128) {
      octet = bytes[this.#at++] ?? 0
      value += (octet & 0x7f) * scale
    }
    return value
  }
}

const noPath: readonly string[] = []
// Nothing of it is in a text of one octet a character, which V8 knows before it looks.
const wide = /[\u0100-\uffff]/

/** Where the number begins in `uloc-<maker>-<number>-<hash>`; -1 for what is no such ruid, or another hash's. */
function madeAt(ruid: string, hash: number): number {
  const dash = ruid.length - 9
  if (dash < 1 || hashInRuid(ruid) !== hash) return -1
  const start = ruid.lastIndexOf('-', dash - 1) + 1
  // As toString(16) would write it again, and not so long that it is no whole number.
  if (start === 0 || start === dash || dash - start > 12) return -1
  if (dash - start > 1 && ruid.charCodeAt(start) === 0x30) return -1
  for (let i = start; i < dash; i++) {
    const code = ruid.charCodeAt(i)
    if (!((code >= 0x30 && code <= 0x39) || (code >= 0x61 && code <= 0x66))) return -1
  }
  return start
}

function octetsOfNumber(value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x200000 ? 3 : 4
}

/** UTF-8, one character an octet. */
export function octetsOf(text: string): string {
  return wide.test(text) ? Buffer.from(text, 'utf8').toString('latin1') : text
}

function narrowed(binding: Binding): Binding {
  return {
    ...binding,
    aor: octetsOf(binding.aor),
    ruid: octetsOf(binding.ruid),
    contact: octetsOf(binding.contact),
    by: octetsOf(binding.by),
    received: octetsOf(binding.received),
    path: binding.path.map(octetsOf),
    socket: octetsOf(binding.socket),
    callId: octetsOf(binding.callId),
    userAgent: octetsOf(binding.userAgent),
    instance: octetsOf(binding.instance),
  }
}
