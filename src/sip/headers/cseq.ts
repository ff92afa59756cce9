import { isToken, readDecimal, skipLws, trimLws } from '../bytes.ts'
import { methodAt } from '../method.ts'

/** CSeq: RFC 3261 §20.16. */
export interface CSeq {
  /** 0 to 2^31 - 1. */
  readonly number: number
  readonly method: string
}

/** RFC 3261 §8.1.1.5: less than 2^31. */
const cseqMax = 0x7fff_ffff

export function parseCSeq(value: string): CSeq | null {
  return readCSeq(value, 0, value.length)
}

/** The same over a range of the message. */
export function readCSeq(text: string, start: number, end: number): CSeq | null {
  const numberStart = skipLws(text, start, end)
  const numberEnd = endOfDigits(text, numberStart, end)
  const number = readDecimal(text, numberStart, numberEnd, cseqMax)
  const methodStart = skipLws(text, numberEnd, end)
  const methodEnd = trimLws(text, methodStart, end)
  if (number === -1 || methodStart === numberEnd || !isToken(text, methodStart, methodEnd)) return null
  return { number, method: methodAt(text, methodStart, methodEnd) }
}

function endOfDigits(text: string, start: number, end: number): number {
  let position = start
  while (position < end && text.charCodeAt(position) >= 0x30 && text.charCodeAt(position) <= 0x39) position++
  return position
}
