/**
 * What a datagram costs an edge, in microseconds of its processor: bench/README.md, "Now", at saturation, since this is about
 * edges that do not sleep. A datagram's share is what its scenario costs by the datagrams that come in.
 */
export const costs = {
  /** d: two REGISTERs, 401 and 200: 41.9. */
  register: 21,
  /** e: MESSAGE and its 200: 25.4. */
  message: 12.7,
  /** c: INVITE, 180, 200, ACK, BYE, 200: 94.9. */
  call: 15.8,
  /** `npm run bench:micro -- overload`, and a datagram in and out (0014). */
  refused: 9.5,
} as const

/** Of a whole registration, a message, a call of these simulations. */
export const workMicroseconds = {
  registration: 2 * costs.register,
  message: 2 * costs.message,
  call: 5 * costs.call,
} as const

export function costOf(text: string): number {
  if (text.startsWith('REGISTER')) return costs.register
  const cseq = text.indexOf('\r\nCSeq: ')
  return text.startsWith('MESSAGE', text.indexOf(' ', cseq + 8) + 1) ? costs.message : costs.call
}
