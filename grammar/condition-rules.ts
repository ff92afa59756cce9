import type { Condition } from './ast.ts'

/** What the special conditions may be compared with, as far as that shows in how they are written. */

/** Where a request is sent from and to is known only while it is being sent. */
export function placeProblem(subject: string, routeWord: string): string | null {
  const isOutgoing = /^(?:snd|to)_(?:ip|port|proto)$/.test(subject)
  return isOutgoing && routeWord !== 'onsend_route' ? `${subject} is known in onsend_route only` : null
}

const addresses = /^(?:src|dst|snd|to)_ip$/
const numbers = /_port$|^af$|^msg:len$/
const uris = /^(?:from_|to_)?uri$|^status$/
const protocols = /^(?:snd_|to_)?proto$/

/** What may stand right of a condition, where that can be told from its form. */
export function conditionProblem(
  subject: string,
  operator: Condition['operator'],
  operand: Condition['operand'],
): string | null {
  if (!numbers.test(subject) && /[<>]/.test(operator))
    return `${subject} is no number: only ==, != and =~ apply`
  if (!('kind' in operand)) return null
  const { kind, text } = operand
  if (kind === 'myself') {
    if (!uris.test(subject) && !addresses.test(subject)) return `${subject} cannot be myself`
    return operator === '==' || operator === '!=' ? null : 'only == and != apply to myself'
  }
  if (kind === 'net') return addresses.test(subject) ? null : `${subject} is no address`
  if (uris.test(subject)) return `${text} must stand in quotes`
  if (numbers.test(subject)) return `${subject} is compared with a number, and ${text} is none`
  if (protocols.test(subject) && !isTransport(text)) return `${text} is no transport`
  return null
}

function isTransport(text: string): boolean {
  return /^(?:udp|tcp|tls|sctp|wss?)$/i.test(text)
}

/** An example of how the condition is written. */
export function conditionHint(subject: string): string {
  if (addresses.test(subject))
    return `${subject} == 10.0.0.0/8, ${subject} == myself, ${subject} == "192.0.2.1"`
  if (subject === 'msg:len') return 'msg:len > 1300'
  if (numbers.test(subject)) return `${subject} == ${subject === 'af' ? 'inet6' : '5060'}`
  if (protocols.test(subject)) return `${subject} == udp; also tcp, tls, sctp, ws, wss`
  if (subject === 'method') return 'method == INVITE, method =~ "INVITE|BYE"'
  if (subject === 'status') return 'status =~ "2[0-9][0-9]"'
  return 'uri == myself, uri =~ "^sip:1"'
}
