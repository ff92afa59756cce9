/**
 * Why nothing could be sent, as the numbers that Kamailio's t_relay returns, and what the caller is told about it:
 * its phrases with its numbering, `478 Unresolvable destination (478/TM)`.
 */
export const relayErrors = {
  /** Nothing to send to. */
  unspecified: -1,
  /** Every branch was dropped by the branch route. */
  scriptDropped: -6,
  /** The Request-URI cannot be read. */
  badRequestUri: -400,
  /** RFC 5393 §5: too many branches at one time in the whole network. */
  breadth: -440,
  /** No socket of ours can send there. */
  noSocket: -7,
  sendFailed: -477,
  unresolvable: -478,
  badUri: -479,
  /** RFC 3261 §16.3 step 4. */
  loop: -482,
  /** Our own tables are full. */
  overloaded: -503,
  /** The INVITE was cancelled. */
  cancelled: -487,
} as const

export interface ErrorAnswer {
  readonly statusCode: number
  readonly reason: string
}

/** `origin`: TM or SL, who says so. */
export function errorAnswer(code: number, origin: 'TM' | 'SL'): ErrorAnswer {
  const number = Math.abs(code)
  const [statusCode, phrase] = phrases.get(number) ?? terriblySorry
  if (number === 482 || number === 440 || number === 503) return { statusCode, reason: phrase }
  return { statusCode, reason: `${phrase} (${number}/${origin})` }
}

const terriblySorry: readonly [number, string] = [500, "I'm terribly sorry, server error occurred"]

const phrases: ReadonlyMap<number, readonly [number, string]> = new Map([
  [7, [500, 'No Socket for That Transport or Address Family']],
  [400, [400, 'Bad Request']],
  [440, [440, 'Max-Breadth Exceeded']],
  [477, [477, 'Unfortunately error on sending to next hop occurred']],
  [478, [478, 'Unresolvable destination']],
  [479, [479, 'Regretfully, we were not able to process the URI']],
  [482, [482, 'Loop Detected']],
  [487, [487, 'Transaction canceled']],
  [503, [503, 'Service Unavailable']],
])
