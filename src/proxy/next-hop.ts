import { isIP } from 'node:net'
import { limits } from '../limits.ts'
import type { SipMessage } from '../sip/message.ts'
import { asciiLower, parseUri, type Uri, uriParam } from '../sip/uri.ts'
import { ipv4Bits } from '../transport/destinations.ts'
import type { Flow, ListenSocket, SocketTable, TransportName } from '../transport/socket.ts'
import { defaultPort } from '../transport/sockets.ts'
import { relayErrors } from './relay-error.ts'
import type { Target } from './target.ts'

/**
 * Where a target's request goes: RFC 3261 §16.6 step 7, the part that needs no DNS. A flow that the location knows is
 * used as it is; otherwise `$du`, otherwise the first Path, otherwise the Request-URI decides.
 */
export interface NextHop {
  /** Without brackets; a literal address if `isLiteral`. */
  readonly host: string
  /** 0 if the URI names none: RFC 3263 §4.2 then decides. */
  readonly port: number
  readonly transport: TransportName
  readonly isLiteral: boolean
}

/**
 * A negative number is Kamailio's code of what is wrong with the URI. `request`, whose target it is: if it goes where it
 * says, and no parameter says otherwise, the scan has found host and port already. To parse them took 6 % of a stateless relay.
 */
export function nextHopOf(target: Target, request?: SipMessage): NextHop | number {
  if (request?.requestUri === target.uri && target.destinationUri === null && target.path.length === 0) {
    const found = { host: '', port: 0, transport: 'udp' as const, isLiteral: false }
    if (request.readRequestHost(found)) {
      found.isLiteral = familyOf(found.host) !== 0
      return found
    }
  }
  const text = target.destinationUri ?? firstHopOfPath(target.path) ?? target.uri
  if (text.length > limits.uriBytesMax) return relayErrors.badUri
  const uri = parseUri(text)
  if (uri === null || uri.host === '')
    return text === target.uri ? relayErrors.badRequestUri : relayErrors.unresolvable
  const transport = transportOf(uri)
  if (transport === null) return relayErrors.noSocket
  const host = maddrOf(uri) ?? uri.host
  return { host, port: uri.port, transport, isLiteral: familyOf(host) !== 0 }
}

/** The flow to a literal address; null if no socket of ours can send there. */
export function flowTo(
  sockets: SocketTable,
  address: string,
  port: number,
  transport: TransportName,
  forced: ListenSocket | null,
  arrival: ListenSocket | null,
): Flow | null {
  const socket = canSend(forced, address, transport) ? forced : sockets.chooseFor(address, transport, arrival)
  if (socket === null) return null
  return { socket, address, port: port === 0 ? defaultPort(transport) : port }
}

/**
 * A forced socket of the wrong family or transport is ignored, as Kamailio does: the script's wish cannot be granted.
 * Who asked for TCP must not get a datagram because the binding came in over UDP.
 */
function canSend(
  socket: ListenSocket | null,
  address: string,
  transport: TransportName,
): socket is ListenSocket {
  return socket !== null && socket.transport === transport && socket.family === familyOf(address)
}

/** 4, 6, or 0 for what is no literal address. Hot: isIP() tells by regular expressions, 1 % of a call. */
function familyOf(host: string): number {
  return ipv4Bits(host) !== 0 ? 4 : isIP(host)
}

function firstHopOfPath(path: readonly string[]): string | null {
  const first = path[0]
  if (first === undefined) return null
  const open = first.indexOf('<')
  const close = first.indexOf('>', open)
  return open >= 0 && close > open ? first.slice(open + 1, close) : first
}

/** RFC 3261 §19.1.1: maddr overrides the host. Only of URIs that the script chose to follow; a literal address only. */
function maddrOf(uri: Uri): string | null {
  if (uri.params === '') return null
  const maddr = uriParam(uri, 'maddr')
  return maddr !== null && familyOf(maddr) !== 0 ? maddr : null
}

function transportOf(uri: Uri): TransportName | null {
  if (uri.scheme !== 'sip' && uri.scheme !== 'sips') return null
  const param = uri.params === '' ? null : uriParam(uri, 'transport')
  if (param === null || param === '') return uri.scheme === 'sips' ? 'tls' : 'udp'
  const name = asciiLower(param)
  if (name === 'udp' || name === 'tcp' || name === 'tls' || name === 'ws' || name === 'wss') return name
  return null
}
