import type { Value } from '../../../grammar/declarations.ts'
import { hostForUri } from '../../sip/uri.ts'
import type { ListenSocket, TransportName } from '../../transport/socket.ts'
import { setSocket } from '../request-uri.ts'
import type { ScriptRun } from '../route-context.ts'
import { type CoreVariables, int, oneOf, text, toText } from './variable.ts'

/** Where the message came from, where it arrived, and where it will leave. */
export const socketVariables: CoreVariables = {
  si: text('Source address.', (run) => run.flow.address, { aliases: ['src_ip'] }),
  siz: text('Source address, IPv6 in brackets.', (run) => hostForUri(run.flow.address)),
  sp: int('Source port.', (run) => run.flow.port),
  su: text('Source as a URI.', (run) => uriOf(run.flow.address, run.flow.port)),
  sut: text('Source as a URI with its transport.', (run) =>
    withTransport(uriOf(run.flow.address, run.flow.port), run.flow.socket),
  ),
  sas: text('Source as udp:address:port.', (run) =>
    label(run.flow.socket.transport, run.flow.address, run.flow.port),
  ),
  Ri: text('Address that the message arrived at.', (run) => run.flow.socket.address),
  Rp: int('Port that the message arrived at.', (run) => run.flow.socket.port),
  Ru: text('Socket of arrival as a URI.', (run) => uriOf(run.flow.socket.address, run.flow.socket.port)),
  Rut: text('Socket of arrival as a URI with its transport.', (run) =>
    withTransport(uriOf(run.flow.socket.address, run.flow.socket.port), run.flow.socket),
  ),
  Rn: text('Name of the socket of arrival; null if it has none.', (run) => run.flow.socket.name),
  RAi: text('Advertised address of the socket of arrival.', (run) => run.flow.socket.advertisedAddress),
  RAp: int('Advertised port of the socket of arrival.', (run) => run.flow.socket.advertisedPort),
  RAu: text('Advertised address as a URI.', (run) => advertised(run.flow.socket)),
  RAut: text('Advertised address as a URI with its transport.', (run) =>
    withTransport(advertised(run.flow.socket), run.flow.socket),
  ),
  Ras: text('Advertised address as udp:address:port.', ({ flow: { socket } }) =>
    label(socket.transport, socket.advertisedAddress, socket.advertisedPort),
  ),
  proto: text('Transport that the message came by.', (run) => run.flow.socket.transport, {
    aliases: ['pr'],
  }),
  prid: int('Number of the transport: 1 udp, 2 tcp, 3 tls, 5 ws, 6 wss.', (run) =>
    transportNumber(run.flow.socket.transport),
  ),
  af: {
    type: 'int',
    inner: 'name',
    innerOptional: true,
    doc: 'Address family of the source: 2 IPv4, 10 IPv6.',
    read: (run) => familyNumber(run.flow.socket.family),
  },
  conid: int('Number of the connection; null over UDP.', () => null),
  fs: {
    type: 'string',
    assignable: true,
    doc: 'Socket to send from, as udp:address:port; null to choose by destination.',
    read: (run) => run.target.socket?.label ?? null,
    write: (run, value) => writeSocket(run, value),
  },
  fsn: {
    type: 'string',
    assignable: true,
    doc: 'Name of the socket to send from.',
    read: (run) => run.target.socket?.name ?? null,
    write: (run, value) => writeSocket(run, value),
  },
  fsp: int('Port of the socket to send from, 0 if none is forced.', (run) => run.target.socket?.port ?? 0),
  rcv: {
    type: 'value',
    inner: 'name',
    prepare: oneOf('rcv', ['buf', 'len', 'proto', 'srcip', 'srcport', 'rcvip', 'rcvport', 'af', 'sproto']),
    doc: 'The datagram as it came, in event routes that run before the script.',
    read: (run, inner) => (run.kind === 'event' ? received(run, String(inner)) : null),
  },
  snd: {
    type: 'value',
    inner: 'name',
    prepare: oneOf('snd', ['ip', 'port', 'af', 'proto', 'sproto', 'buf', 'len']),
    doc: 'In onsend_route: where the message goes, and its octets.',
    read: (run, inner) => sent(run, String(inner)),
  },
  sndto: {
    type: 'value',
    inner: 'name',
    prepare: oneOf('sndto', ['ip', 'port', 'af', 'proto', 'sproto']),
    doc: 'In onsend_route: where the message goes.',
    read: (run, inner) => sent(run, String(inner)),
  },
  sndfrom: {
    type: 'value',
    inner: 'name',
    prepare: oneOf('sndfrom', ['ip', 'port', 'af', 'proto', 'sproto']),
    doc: 'In onsend_route: the socket that the message leaves from.',
    read: (run, inner) => sentFrom(run, String(inner)),
  },
}

const transportNumbers: Readonly<Record<TransportName, number>> = { udp: 1, tcp: 2, tls: 3, ws: 5, wss: 6 }

export function transportNumber(transport: TransportName): number {
  return transportNumbers[transport]
}

/** AF_INET and AF_INET6, as the words inet and inet6 of the language. */
export function familyNumber(family: 4 | 6): number {
  return family === 4 ? 2 : 10
}

function uriOf(address: string, port: number): string {
  return `sip:${hostForUri(address)}:${port}`
}

function advertised(socket: ListenSocket): string {
  return uriOf(socket.advertisedAddress, socket.advertisedPort)
}

function withTransport(uri: string, socket: ListenSocket): string {
  return `${uri};transport=${socket.transport}`
}

function label(transport: TransportName, address: string, port: number): string {
  return `${transport}:${hostForUri(address)}:${port}`
}

/** A socket that we do not listen on changes nothing (measured on Kamailio 5.6.3: a warning, and the run goes on). */
function writeSocket(run: ScriptRun, value: Value): boolean {
  if (value === null || value === '') {
    setSocket(run.target, null)
    return true
  }
  const { sockets, log } = run.surroundings.services
  const socket = sockets.find(toText(value))
  if (socket === null) log.warn({ ...run.logFields(), socket: value }, 'there is no socket of that name')
  else setSocket(run.target, socket)
  return true
}

function received(run: ScriptRun, part: string): Value {
  const { flow, message } = run
  switch (part) {
    case 'buf':
      return message.text
    case 'len':
      return message.text.length
    case 'srcip':
      return flow.address
    case 'srcport':
      return flow.port
    case 'rcvip':
      return flow.socket.address
    case 'rcvport':
      return flow.socket.port
    case 'af':
      return flow.socket.family === 4 ? 'IPv4' : 'IPv6'
    default:
      return flow.socket.transport
  }
}

function sent(run: ScriptRun, part: string): Value {
  const { sending } = run
  if (sending === null) return null
  if (part === 'buf') return sending.text
  if (part === 'len') return sending.text.length
  return endpoint(sending.address, sending.port, sending.socket, part)
}

function sentFrom(run: ScriptRun, part: string): Value {
  const socket = run.sending?.socket
  return socket === undefined ? null : endpoint(socket.address, socket.port, socket, part)
}

function endpoint(address: string, port: number, socket: ListenSocket, part: string): Value {
  if (part === 'ip') return address
  if (part === 'port') return port
  if (part === 'af') return socket.family === 4 ? 'IPv4' : 'IPv6'
  return socket.transport
}
