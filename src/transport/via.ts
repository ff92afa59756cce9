import { indexOfUnquoted, semicolon } from '../sip/bytes.ts'
import { sameName } from '../sip/headers/params.ts'
import type { Via } from '../sip/headers/via.ts'
import type { SipMessage } from '../sip/message.ts'
import type { Flow } from './socket.ts'
import { defaultPort } from './sockets.ts'

/**
 * received and rport: RFC 3261 §18.2.1, RFC 3581 §4. The received message never changes; these functions say
 * how its topmost Via must read when it is forwarded or answered, and where the answer goes.
 *
 * Where the parameters stand is Kamailio's (measured on 5.6.3): what is already there is filled in place; what is
 * new follows the sent-by in a forwarded request, and comes last in an answer. `force` is the script's
 * force_rport(): rport is added even if the sender did not ask. `received` stands if the packet came from another
 * address than the Via says, or if the sender asked for rport (RFC 3581 §4). What the sender wrote as its own
 * `received` is overwritten.
 */

/** The topmost Via value of a request that is forwarded. '' if it has none that can be read. */
export function correctedVia(message: SipMessage, flow: Flow, force: boolean): string {
  return corrected(message, flow, force, false)
}

/** The topmost Via value of our own response to a request. */
export function answeredVia(message: SipMessage, flow: Flow, force: boolean): string {
  return corrected(message, flow, force, true)
}

/**
 * Where the response to a request goes: always the packet's source address; its source port if rport was asked
 * for or forced, else the port of the Via (RFC 3581 §4, RFC 3261 §18.2.2). `maddr` is not believed.
 */
export function responseDestination(
  message: SipMessage,
  flow: Flow,
  force: boolean,
): { address: string; port: number } {
  return { address: flow.address, port: responsePort(message, flow, force) }
}

/** The port of responseDestination(); its address is always the packet's. */
export function responsePort(message: SipMessage, flow: Flow, force: boolean): number {
  const via = message.topmostVia
  if (via === null || force || via.rport !== null) return flow.port
  return via.port || defaultPort(flow.socket.transport)
}

/**
 * Hot. Nearly all Vias come without `received`, and with an `rport` that waits to be filled in or with none: what is
 * added is put between slices. withParams() looks at each parameter, and writes all others.
 */
function corrected(message: SipMessage, flow: Flow, force: boolean, isAnswer: boolean): string {
  const via = message.topmostVia
  if (via === null) return ''
  const { text } = message
  const { start, end, paramsAt, rport, rportEnd } = via
  const received = via.host !== flow.address || rport !== null ? `;received=${flow.address}` : ''
  if (!via.isUnfilled) {
    return withParams(
      text,
      via,
      received.slice(1),
      force || rport !== null ? `rport=${flow.port}` : '',
      isAnswer,
    )
  }
  if (rport === null) {
    const added = (force ? `;rport=${flow.port}` : '') + received
    if (added === '') return text.slice(start, end)
    return isAnswer
      ? text.slice(start, end) + added
      : text.slice(start, paramsAt) + added + text.slice(paramsAt, end)
  }
  return isAnswer
    ? `${text.slice(start, rportEnd)}=${flow.port}${text.slice(rportEnd, end)}${received}`
    : `${text.slice(start, paramsAt)}${received}${text.slice(paramsAt, rportEnd)}=${flow.port}${text.slice(rportEnd, end)}`
}

/** Fills what is there in place and adds the rest; a `received` that we would not write ourselves is left out. */
function withParams(text: string, via: Via, received: string, rport: string, isAnswer: boolean): string {
  const sentByEnd = indexOfUnquoted(text, semicolon, via.start, via.end)
  let kept = ''
  let hasReceived = false
  let hasRport = false
  for (let at = sentByEnd; at < via.end; ) {
    const stop = indexOfUnquoted(text, semicolon, at + 1, via.end)
    const param = text.slice(at, stop)
    const name = paramName(param)
    if (sameName(name, 'received')) {
      if (!hasReceived && received !== '') kept += `;${received}`
      hasReceived = true
    } else if (sameName(name, 'rport')) {
      if (!hasRport) kept += `;${rport}`
      hasRport = true
    } else {
      kept += param
    }
    at = stop
  }
  const added =
    (hasRport || rport === '' ? '' : `;${rport}`) + (hasReceived || received === '' ? '' : `;${received}`)
  const sentBy = text.slice(via.start, sentByEnd)
  return isAnswer ? sentBy + kept + added : sentBy + added + kept
}

function paramName(param: string): string {
  const equalsAt = param.indexOf('=')
  return param.slice(1, equalsAt === -1 ? undefined : equalsAt).trim()
}
