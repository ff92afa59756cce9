import type { SipMessage } from '../sip/message.ts'

/**
 * Which of the final responses of all branches goes upstream: RFC 3261 §16.7 step 6, in the order that Kamailio
 * 5.6.3 was measured to follow for every pair of codes. 6xx beats all; then the lowest class; within 4xx those that
 * the caller can do something about (401, 407, 415, 420, 484); then the lowest code; then the lowest branch.
 */
export interface Candidate {
  readonly status: number
  readonly response: SipMessage | null
  readonly isTimeout: boolean
}

/**
 * The winner among final non-2xx statuses, null if there is none.
 *
 * RFC 4320 §4.2: a non-INVITE never sends a 408 upstream, so a branch that timed out loses to every other one there.
 */
export function pickBest<C extends Candidate>(candidates: Iterable<C>, isInvite: boolean): C | null {
  let best: C | null = null
  let bestRank = Number.MAX_SAFE_INTEGER
  for (const candidate of candidates) {
    if (candidate.status < 300) continue
    const rank = !isInvite && candidate.status === 408 ? lastRank : rankOf(candidate.status)
    if (rank < bestRank) {
      best = candidate
      bestRank = rank
    }
  }
  return best
}

const lastRank = 100_000

/** The lower the better. */
function rankOf(status: number): number {
  if (status >= 600) return status - 600
  if (status >= 400 && status < 500) return isActionable(status) ? status : 1_000 + status
  if (status < 400) return 100 + (status - 300)
  return 2_000 + status
}

function isActionable(status: number): boolean {
  return status === 401 || status === 407 || status === 415 || status === 420 || status === 484
}

/**
 * RFC 3261 §16.7 step 7: the challenges of all branches that asked for credentials, as complete lines. Null if fewer
 * than two did: the one response then goes through untouched.
 */
export function collectChallenges(candidates: Iterable<Candidate>): string | null {
  let lines = ''
  let challengers = 0
  for (const { status, response } of candidates) {
    if ((status !== 401 && status !== 407) || response === null) continue
    challengers++
    lines += linesOf(response, 'WWW-Authenticate') + linesOf(response, 'Proxy-Authenticate')
  }
  return challengers < 2 ? null : lines
}

function linesOf(response: SipMessage, name: string): string {
  let lines = ''
  for (let i = response.find(name); i >= 0; i = response.next(i)) {
    lines += `${name}: ${response.headerValue(i)}\r\n`
  }
  return lines
}
