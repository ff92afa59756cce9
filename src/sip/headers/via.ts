import {
  endOfHostName,
  hasQuotes,
  indexOfUnquoted,
  isLws,
  isToken,
  readDecimal,
  skipLws,
  trimLws,
  unfold,
} from '../bytes.ts'
import { hostWithoutBrackets } from '../uri-host.ts'
import { endOfParam, valueBetween, valueStartOf } from './params.ts'

// Of bytes.ts: why they stand here again is said there.
const closeBracket = 0x5d
const colon = 0x3a
const comma = 0x2c
const openBracket = 0x5b
const semicolon = 0x3b

/** One value of Via: RFC 3261 §20.42, RFC 3581. */
export interface Via {
  /** `UDP`, `TCP`, ... as written. */
  readonly transport: string
  /** Without brackets. */
  readonly host: string
  /** 0 if absent. */
  readonly port: number
  /** '' if absent (RFC 2543). */
  readonly branch: string
  /** '' if absent. */
  readonly received: string
  /** null: no rport parameter; 0: asked for; otherwise filled in. */
  readonly rport: number | null
  readonly maddr: string
  /** All parameters as written, without the leading semicolon. */
  readonly params: string
  /** Offsets within the message of this value: from the protocol name to before the comma or line end. */
  readonly start: number
  readonly end: number
  /** Offset of the first semicolon, `end` if there is none. */
  readonly paramsAt: number
  /** Where an `rport` without a value ends, to be filled in; -1 if there is none. */
  readonly rportEnd: number
  /** No parameter begins with an r, but for that one `rport`: there is no `received` and no second of them. */
  readonly isUnfilled: boolean
  /** True if the branch starts with the magic cookie of RFC 3261 §8.1.1.7 and has something after it. */
  readonly isRfc3261: boolean
}

const magicCookie = 'z9hG4bK'

/** `offset` is where `value` starts in the message. Null if it cannot be read. */
export function parseVia(value: string, offset = 0): Via | null {
  return readVia(value, 0, value.length, offset)
}

/** The Via value at the start of the range, up to a comma or the end. */
export function readVia(text: string, from: number, to: number, offset = 0): Via | null {
  const start = skipLws(text, from, to)
  const stop = endOfVia(text, start, to)
  const end = trimLws(text, start, stop)
  if (text.startsWith(usualStart, start) && start + usualStart.length < end) {
    const hostStart = skipLws(text, start + usualStart.length, end)
    return readSentBy(new ViaValue(text, 'UDP', start, end), text, hostStart, offset)
  }
  const transportStart = afterProtocol(text, start, end)
  if (transportStart === -1) return null
  const transportEnd = endOfWord(text, transportStart, end)
  const hostStart = skipLws(text, transportEnd, end)
  if (hostStart === transportEnd || !isToken(text, transportStart, transportEnd)) return null
  const transport = text.slice(transportStart, transportEnd)
  return readSentBy(new ViaValue(text, transport, start, end), text, hostStart, offset)
}

const usualStart = 'SIP/2.0/UDP '

/** Where a Via value that starts here ends: at the next comma, or at `end`. Most messages have none that near. */
export function endOfVia(text: string, start: number, end: number): number {
  const commaAt = text.indexOf(',', start)
  return commaAt === -1 || commaAt >= end ? end : indexOfUnquoted(text, comma, start, end)
}

/** A Via that native/scan.c has read: `words` has its offsets from `at` on, in the order of native/scan.h. */
export function recordedVia(text: string, words: Int32Array, at: number): Via {
  const via = new ViaValue(text, 'UDP', words[at] as number, words[at + 1] as number)
  via.host = text.slice(words[at + 2] as number, words[at + 3] as number)
  via.port = words[at + 4] as number
  const paramsStart = words[at + 5] as number
  if (paramsStart === -1) return via
  via.setParams(paramsStart)
  via.branch = sliceOrNone(text, words, at + 6)
  via.received = sliceOrNone(text, words, at + 8)
  via.maddr = sliceOrNone(text, words, at + 10)
  const rport = words[at + 12] as number
  via.rport = rport === -1 ? null : rport
  via.rportEnd = words[at + 13] as number
  via.isUnfilled = words[at + 14] === 1
  via.isRfc3261 = words[at + 15] === 1
  return via
}

/** No parameter stands at the start of the text: 0 says that it is absent. */
function sliceOrNone(text: string, words: Int32Array, at: number): string {
  const start = words[at] as number
  return start === 0 ? '' : text.slice(start, words[at + 1] as number)
}

class ViaValue implements Via {
  transport: string
  host = ''
  port = 0
  branch = ''
  received = ''
  rport: number | null = null
  maddr = ''
  start: number
  end: number
  paramsAt: number
  rportEnd = -1
  isUnfilled = true
  isRfc3261 = false
  private readonly text: string
  private paramsStart = -1
  private paramsEnd = -1

  constructor(text: string, transport: string, start: number, end: number) {
    this.text = text
    this.transport = transport
    this.start = start
    this.end = end
    this.paramsAt = end
  }

  /** Few ask for them. */
  get params(): string {
    return this.paramsStart === -1 ? '' : unfold(this.text.slice(this.paramsStart, this.paramsEnd))
  }

  setParams(start: number): void {
    this.paramsAt = start - 1
    this.paramsStart = start
    this.paramsEnd = this.end
  }

  readParams(start: number): void {
    const { text, end } = this
    this.setParams(start)
    const isPlain = !hasQuotes(text, start, end)
    let position = start
    while (position < end) {
      const stop = endOfParam(text, position, end, isPlain)
      this.readParam(skipLws(text, position, stop), stop)
      position = stop + 1
    }
    this.isRfc3261 = this.branch.length > magicCookie.length && this.branch.startsWith(magicCookie)
  }

  /** Only four parameters matter here; their first letters tell them from most others. The first of several wins. */
  private readParam(start: number, stop: number): void {
    const { text } = this
    const letter = text.charCodeAt(start) | 0x20
    if (letter === letterB) {
      if (this.branch === '') this.branch = namedValue(text, start, stop, 'branch', 'branch=') ?? ''
    } else if (letter === letterM) {
      if (this.maddr === '') this.maddr = namedValue(text, start, stop, 'maddr', 'maddr=') ?? ''
    } else if (letter === letterR) {
      this.readHopParam(start, stop)
    }
  }

  /** RFC 3581 §3: what is for the next hop to fill in, or was filled in. */
  private readHopParam(start: number, stop: number): void {
    const { text } = this
    if (this.isUnfilled && this.rport === null && isBareRport(text, start, stop)) {
      this.rport = 0
      this.rportEnd = stop
      return
    }
    this.isUnfilled = false
    if (this.rport === null) this.rport = portOf(namedValue(text, start, stop, 'rport', 'rport='))
    if (this.received === '')
      this.received = hostWithoutBrackets(namedValue(text, start, stop, 'received', 'received=') ?? '')
  }
}

function isBareRport(text: string, start: number, stop: number): boolean {
  return stop - start === 5 && text.startsWith(';rport', start - 1)
}

const letterB = 0x62
const letterM = 0x6d
const letterR = 0x72

/** `usual`: as nearly all write it, in small letters, without white space and quotes. */
function namedValue(text: string, start: number, stop: number, name: string, usual: string): string | null {
  if (text.startsWith(usual, start)) {
    const valueStart = start + usual.length
    if (valueStart < stop && isPlain(text.charCodeAt(valueStart)) && isPlain(text.charCodeAt(stop - 1)))
      return text.slice(valueStart, stop)
  }
  const valueStart = valueStartOf(text, start, stop, name)
  return valueStart === -1 ? null : valueBetween(text, valueStart, stop)
}

function isPlain(code: number): boolean {
  return code > 0x20 && code !== 0x22
}

/** What is no port counts as asked for: we overwrite it. */
function portOf(value: string | null): number | null {
  return value === null ? null : Math.max(0, readDecimal(value, 0, value.length, 65_535))
}

/** Past `SIP / 2.0 /` and white space; -1 if that is not what stands there. */
function afterProtocol(text: string, start: number, end: number): number {
  if (text.startsWith('SIP/2.0/', start)) return skipLws(text, start + 8, end)
  let position = start
  for (let part = 0; part < 2; part++) {
    const slash = text.indexOf('/', position)
    if (slash === -1 || slash >= end) return -1
    if (!isToken(text, position, trimLws(text, position, slash))) return -1
    position = skipLws(text, slash + 1, end)
  }
  return position
}

function readSentBy(via: ViaValue, text: string, hostStart: number, offset: number): Via | null {
  const end = via.end
  let position = endOfHost(text, hostStart, end)
  if (position === -1 || position === hostStart) return null
  via.host = hostWithoutBrackets(text.slice(hostStart, position))
  position = skipLws(text, position, end)
  if (position < end && text.charCodeAt(position) === colon) {
    const portStart = skipLws(text, position + 1, end)
    position = endOfPort(text, portStart, end)
    via.port = readDecimal(text, portStart, position, 65_535)
    if (via.port < 1) return null
    position = skipLws(text, position, end)
  }
  if (position < end) {
    if (text.charCodeAt(position) !== semicolon) return null
    via.readParams(position + 1)
  }
  via.start += offset
  via.end += offset
  via.paramsAt += offset
  if (via.rportEnd !== -1) via.rportEnd += offset
  return via
}

function endOfHost(text: string, start: number, end: number): number {
  if (text.charCodeAt(start) !== openBracket) return endOfHostName(text, start, end)
  for (let i = start + 1; i < end; i++) {
    if (text.charCodeAt(i) === closeBracket) return i + 1
  }
  return -1
}

function endOfPort(text: string, start: number, end: number): number {
  let position = start
  while (position < end && text.charCodeAt(position) !== semicolon && !isLws(text.charCodeAt(position)))
    position++
  return position
}

function endOfWord(text: string, start: number, end: number): number {
  let position = start
  while (position < end && !isLws(text.charCodeAt(position))) position++
  return position
}
