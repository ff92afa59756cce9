/**
 * The owner's mark in the branch values of a router with several workers: `z9hG4bKw1-` and the random digits of
 * transaction/branch.ts. A response repeats it (RFC 3261 §8.1.3.3, §18.2.2), and so says whose transaction it
 * belongs to, wherever the kernel put it. It proves nothing: the owner looks the whole branch up.
 */
const cookie = 'z9hG4bKw'

export function branchMark(worker: number): string {
  return `w${worker}-`
}

/** Whose branch this is; -1 if it carries no mark. */
export function ownerOfBranch(branch: string): number {
  return branch.startsWith(cookie) ? numberAt(branch, cookie.length) : -1
}

/**
 * Whose response a datagram is, before it is scanned; -1 if it does not say. Hot: the first branch parameter is the
 * topmost Via's unless somebody has put other headers above it; then the scan will tell.
 */
export function ownerOfResponse(text: string): number {
  // `SIP/2.0 200 OK`: no method has a slash.
  if (text.charCodeAt(3) !== slash || text.charCodeAt(0) !== letterS) return -1
  const at = text.indexOf(';branch=')
  if (at < 0 || !text.startsWith(cookie, at + 8)) return -1
  return numberAt(text, at + 8 + cookie.length)
}

const slash = 0x2f
const letterS = 0x53
const dash = 0x2d

function numberAt(text: string, start: number): number {
  let number = 0
  for (let at = start; at < start + 4; at++) {
    const code = text.charCodeAt(at)
    if (code === dash) return at === start ? -1 : number
    if (!(code >= 0x30 && code <= 0x39)) return -1
    number = number * 10 + code - 0x30
  }
  return -1
}
