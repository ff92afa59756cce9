import { parseDecimal } from '../bytes.ts'

/** delta-seconds: Expires, Min-Expires, Session-Expires, the `expires` parameter (RFC 3261 §20.19, §25.1). */
const deltaSecondsMax = 0xffff_ffff

/** Digits only; null for anything else and for more than 2^32 - 1. */
export function parseDeltaSeconds(value: string): number | null {
  const seconds = parseDecimal(value, deltaSecondsMax)
  return seconds === -1 ? null : seconds
}

/** A q value as thousandths: `0.35` is 350; -1 if it is none (RFC 3261 §25.1 qvalue; one without the zero is seen). */
export function parseQ(value: string): number {
  if (!/^(?:[01]?\.\d{0,3}|[01])$/.test(value) || value === '.') return -1
  const thousandths = Math.round(Number(value) * 1000)
  return thousandths <= 1000 ? thousandths : -1
}
