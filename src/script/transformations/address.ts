import type { Value } from '../../../grammar/declarations.ts'
import { asciiLower, hostForUri, parseUri, uriParam } from '../../sip/uri.ts'
import { plain, type Transformations } from './declare.ts'

/** Classes `urialias` (`host~port~transport number`: Kamailio's ;alias= parameter) and `sock` (`udp:host:port`). */
export const addressTransformations: Transformations = {
  'urialias.encode': plain('A SIP URI as an alias value.', (value) => {
    const uri = parseUri(value)
    if (uri === null || uri.host === '') return ''
    const transport = transportNumber(uriParam(uri, 'transport') ?? 'udp')
    return `${hostForUri(uri.host)}~${uri.port || 5060}~${transport}`
  }),
  'urialias.decode': plain('An alias value as a SIP URI.', (value) => {
    const [host, port, transport] = value.split('~')
    if (!host || !port || !transport) return null
    const name = transports[Number(transport)]
    return name === undefined ? null : `sip:${host}:${port}${name === 'udp' ? '' : `;transport=${name}`}`
  }),
  'sock.host': socketPart('Host.', (socket) => socket.host),
  'sock.port': socketPart('Port.', (socket) => socket.port),
  'sock.proto': socketPart('Transport.', (socket) => socket.transport),
  'sock.touri': socketPart(
    'As a SIP URI.',
    (socket) => `sip:${socket.host}:${socket.port};transport=${socket.transport}`,
  ),
}

/** By Kamailio's number. */
const transports: Readonly<Record<number, string>> = {
  1: 'udp',
  2: 'tcp',
  3: 'tls',
  4: 'sctp',
  5: 'ws',
  6: 'wss',
}

function transportNumber(name: string): number {
  const found = Object.entries(transports).find(([, transport]) => transport === asciiLower(name))
  return Number(found?.[0] ?? 1)
}

interface SocketLabel {
  transport: string
  host: string
  port: string
}

function socketPart(doc: string, read: (socket: SocketLabel) => string) {
  return plain(doc, (value): Value => {
    const match = /^([a-zA-Z]+):(\[[^\]]*\]|[^:]+):([0-9]{1,5})$/.exec(value)
    if (match === null) return ''
    return read({ transport: match[1] ?? '', host: match[2] ?? '', port: match[3] ?? '' })
  })
}
