/**
 * Lifetimes are Redis' own: a key is written with PX and so many milliseconds, which Redis counts on its clock. No
 * edge tells another at what time something ends, so clocks that disagree do no harm.
 */

/** The argument after PX: whole milliseconds. Redis takes no zero: what has already ended ends in a millisecond. */
export function pxOf(remainingMs: number): string {
  return String(Math.min(Math.max(Math.ceil(remainingMs), 1), pxMax))
}

/** Half of what fits into a number: Redis adds its own date to it. */
const pxMax = 2 ** 52

/** The answer to TIME, seconds and microseconds, as Unix milliseconds. */
export function timeOf(reply: unknown): number | undefined {
  if (!Array.isArray(reply) || reply.length !== 2) return undefined
  const [seconds, microseconds] = reply.map((part) => Number(String(part)))
  if (!Number.isSafeInteger(seconds) || !Number.isSafeInteger(microseconds)) return undefined
  return Number(seconds) * 1_000 + Number(microseconds) / 1_000
}
