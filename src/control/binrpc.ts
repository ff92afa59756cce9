import { limits } from '../limits.ts'

/**
 * The packets of Kamailio's binrpc, which kamcmd speaks; as Kamailio 5.6.3 and kamcmd send them to each other.
 *
 *   octet 0   0xA1: magic and version
 *   octet 1   what it is (0 request, 1 answer, 3 fault) << 4 | octets of the length - 1 << 2 | octets of the cookie - 1
 *   then      the length of what follows the cookie; the cookie, which the answer repeats; values
 *   a value   one octet: length << 4 | type; or 0x80 | octets of the length << 4 | type, and the length; then itself
 *
 * Types: 0 integer, 1 text with a final zero, 2 thousandths, 3 struct (opened by 0x03, closed by 0x83), 5 the name of a
 * member, before its value. A method's name is the first value of a request; arrays at the top are values one after
 * another, those within are structs without names.
 */
export interface BinrpcRequest {
  readonly cookie: Buffer
  readonly method: string
  readonly params: readonly (string | number)[]
}

export type Packet =
  | { readonly kind: 'request'; readonly request: BinrpcRequest; readonly octets: number }
  | { readonly kind: 'more' }
  | { readonly kind: 'broken'; readonly why: string }

const magic = 0xa1
const integerType = 0
const textType = 1
const thousandthsType = 2
const structType = 3
const nameType = 5
const structEnd = 0x83
const answerKind = 1
const faultKind = 3

/** The first packet of what has come so far. */
export function readPacket(octets: Buffer): Packet {
  if (octets.length < 2) return { kind: 'more' }
  if (octets[0] !== magic) return { kind: 'broken', why: 'no packet of binrpc' }
  const flags = octets[1] ?? 0
  if (flags >> 4 !== 0) return { kind: 'broken', why: 'no request' }
  const lengthOctets = ((flags >> 2) & 3) + 1
  const bodyAt = 2 + lengthOctets + (flags & 3) + 1
  if (octets.length < bodyAt) return { kind: 'more' }
  const length = octets.readUIntBE(2, lengthOctets)
  if (length > limits.controlRequestCharactersMax) return { kind: 'broken', why: 'it is too long' }
  if (octets.length < bodyAt + length) return { kind: 'more' }
  const values = readValues(octets.subarray(bodyAt, bodyAt + length))
  if (values === null) return { kind: 'broken', why: 'a value that is none' }
  const [method, ...params] = values
  if (typeof method !== 'string') return { kind: 'broken', why: 'no method' }
  if (params.length > limits.controlParamsMax) return { kind: 'broken', why: 'too many parameters' }
  // The cookie outlives what was read.
  const cookie = Buffer.from(octets.subarray(2 + lengthOctets, bodyAt))
  return { kind: 'request', request: { cookie, method, params }, octets: bodyAt + length }
}

/** Plain values only: what else binrpc knows no method takes. */
function readValues(body: Buffer): (string | number)[] | null {
  const values: (string | number)[] = []
  let at = 0
  while (at < body.length) {
    const head = body[at++] ?? 0
    const type = head & 0x0f
    let length = (head >> 4) & 7
    if ((head & 0x80) !== 0) {
      if (length === 0 || length > 4 || at + length > body.length) return null
      const octets = length
      length = body.readUIntBE(at, octets)
      at += octets
    }
    if (at + length > body.length) return null
    const value = readValue(type, body.subarray(at, at + length))
    if (value === null) return null
    values.push(value)
    at += length
  }
  return values
}

function readValue(type: number, octets: Buffer): string | number | null {
  if (type === textType) return octets.toString('utf8').replace(/\0$/, '')
  if (type !== integerType && type !== thousandthsType) return null
  if (octets.length > 4) return null
  const number =
    octets.length === 4 ? octets.readInt32BE() : octets.length === 0 ? 0 : octets.readUIntBE(0, octets.length)
  return type === integerType ? number : number / 1000
}

/** `result` is what JSON gives. */
export function answerPacket(cookie: Buffer, result: unknown): Buffer {
  const parts: Buffer[] = []
  if (Array.isArray(result)) for (const one of result) pushValue(parts, one)
  else pushValue(parts, result)
  return packet(answerKind, cookie, parts)
}

export function faultPacket(cookie: Buffer, code: number, message: string): Buffer {
  const parts: Buffer[] = []
  pushValue(parts, code)
  pushValue(parts, message)
  return packet(faultKind, cookie, parts)
}

function packet(kind: number, cookie: Buffer, parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts)
  const length = shortest(body.length)
  const flags = (kind << 4) | ((length.length - 1) << 2) | (cookie.length - 1)
  return Buffer.concat([Buffer.from([magic, flags]), length, cookie, body])
}

function pushValue(parts: Buffer[], value: unknown): void {
  if (typeof value === 'string') pushText(parts, textType, value)
  else if (typeof value === 'number') pushNumber(parts, value)
  else if (typeof value === 'boolean') pushNumber(parts, Number(value))
  else if (value === null || value === undefined) pushText(parts, textType, '')
  else pushStruct(parts, value)
}

function pushStruct(parts: Buffer[], value: object): void {
  parts.push(Buffer.from([structType]))
  for (const [name, member] of Object.entries(value)) {
    if (!Array.isArray(value)) pushText(parts, nameType, name)
    pushValue(parts, member)
  }
  parts.push(Buffer.from([structEnd]))
}

function pushText(parts: Buffer[], type: number, text: string): void {
  pushRecord(parts, type, Buffer.from(`${text}\0`, 'utf8'))
}

/** Integers have at most four octets: what is larger is text. */
function pushNumber(parts: Buffer[], value: number): void {
  const type = Number.isInteger(value) ? integerType : thousandthsType
  const shown = type === integerType ? value : Math.round(value * 1000)
  if (shown > 0x7fffffff || shown < -0x80000000 || Number.isNaN(shown))
    pushText(parts, textType, String(value))
  else
    pushRecord(parts, type, shown < 0 ? fourOctets(shown) : shown === 0 ? Buffer.alloc(0) : shortest(shown))
}

function pushRecord(parts: Buffer[], type: number, octets: Buffer): void {
  const { length } = octets
  if (length < 8) parts.push(Buffer.from([(length << 4) | type]), octets)
  else {
    const size = shortest(length)
    parts.push(Buffer.from([0x80 | (size.length << 4) | type]), size, octets)
  }
}

function fourOctets(value: number): Buffer {
  const octets = Buffer.alloc(4)
  octets.writeInt32BE(value)
  return octets
}

/** Big-endian, without leading zeros, one octet at least. */
function shortest(value: number): Buffer {
  const octets = Buffer.alloc(4)
  octets.writeUInt32BE(value)
  const first = octets.findIndex((octet) => octet !== 0)
  return octets.subarray(first < 0 ? 3 : first)
}
