import {
  definePlugin,
  HeaderId,
  hostForUri,
  markedAddress,
  paramOf,
  parseUri,
  type RouteContext,
  recordRouteAddress,
} from '../../src/plugin/index.ts'

/**
 * Path (RFC 3327): an edge proxy writes itself into a REGISTER, so that the registrar sends requests back through it.
 * With `received` the address that the REGISTER came from goes along, and comes back as a parameter of our Route.
 */
const where = ['request', 'failure', 'branch', 'event'] as const
const added = { 1: 'added', '-1': 'not added' } as const
const user = {
  name: 'user',
  type: 'string',
  optional: true,
  doc: 'User part of the URI; "" for none.',
} as const
const parameters = {
  name: 'parameters',
  type: 'string',
  optional: true,
  doc: 'Further URI parameters, without the leading semicolon.',
} as const

export default definePlugin({
  name: 'path',
  summary: 'Path headers for edge proxies in front of a registrar (RFC 3327).',
  params: {
    use_received: {
      type: 'int',
      default: 0,
      doc: 'loose_route() of a request whose own Route has `received` sends to that address.',
    },
    received_format: {
      type: 'int',
      default: 0,
      doc: 'How `received` is written: 0 as a URI, escaped where it has parameters; 1 as ip~port~transport number.',
    },
    received_name: { type: 'string', default: 'received', doc: 'Name of the parameter.' },
    enable_r2: {
      type: 'int',
      default: 0,
      doc: 'Two values with r2=on where the request leaves from another socket than it came in at.',
    },
    sockname_mode: { type: 'int', default: 0, ignored: 'sockets are told by address', doc: 'Socket names.' },
  },
  functions: {
    add_path: { in: where, args: [user, parameters], returns: added, doc: 'Adds our Path on top.' },
    add_path_received: {
      in: where,
      args: [user, parameters],
      returns: added,
      doc: 'As add_path, with the source address in `received`.',
    },
    add_path_received_user: {
      in: where,
      args: [user, parameters],
      returns: added,
      doc: 'As add_path_received.',
    },
  },
  usesIfLoaded: ['rr'],
  setup(host, params) {
    const received = (context: RouteContext) =>
      `;${params.received_name}=${writeReceived(context, params.received_format)}`
    const onRoute = host.exportsOf<{ onRouted(listener: RoutedListener): void }>('rr')
    if (params.use_received !== 0) onRoute?.onRouted(useReceived(params.received_name))
    const isDouble = params.enable_r2 !== 0 && host.sockets.sockets.length > 1
    const address = ({ flow: { socket } }: RouteContext) =>
      isDouble ? markedAddress(socket) : recordRouteAddress(socket)
    const withReceived = (context: RouteContext, name: string | undefined, extra: string | undefined) =>
      addPath(context, address(context), name ?? '', extra ?? '', received(context))
    return {
      functions: {
        add_path: (context, name, extra) => addPath(context, address(context), name ?? '', extra ?? '', ''),
        add_path_received: withReceived,
        add_path_received_user: withReceived,
      },
    }
  },
})

type RoutedListener = (context: RouteContext, routeParams: string) => void

/** The newest value stands above those that are there (measured on Kamailio 5.6.3). */
function addPath(
  context: RouteContext,
  address: string,
  name: string,
  extra: string,
  received: string,
): number {
  const { message, edits } = context
  const userPart = name === '' ? '' : `${name}@`
  const extraParams = extra === '' ? '' : `;${extra.replace(/^;/, '')}`
  const line = `Path: <sip:${userPart}${address};lr${received}${extraParams}>\r\n`
  const first = message.first(HeaderId.path)
  if (first >= 0) edits.insertBeforeHeader(message, first, line)
  else edits.appendHeader(line)
  return 1
}

function writeReceived(context: RouteContext, format: number): string {
  const { address, port, socket } = context.flow
  const host = hostForUri(address)
  if (format === 1) return `${host}~${port}~${transportNumbers[socket.transport]}`
  const uri = `sip:${host}:${port}`
  return socket.transport === 'udp' ? uri : `${uri}%3Btransport%3D${socket.transport}`
}

const transportNumbers = { udp: 1, tcp: 2, tls: 3, ws: 5, wss: 6 } as const

/** Our own Route came back from the registrar with the address that we wrote into the Path: that is the next hop. */
function useReceived(name: string): RoutedListener {
  return (context, routeParams) => {
    if (context.target.destinationUri !== null) return
    const value = paramOf(routeParams.slice(1), name)
    const uri = value === null ? null : readReceived(value)
    if (uri === null || parseUri(uri) === null) return
    context.target.destinationUri = uri
    context.target.flow = null
  }
}

/** `sip:a:p`, `sip:a:p%3Btransport%3Dtcp` or `a~p~1` as a URI; null if it is none of them. */
function readReceived(value: string): string | null {
  const parts = value.split('~')
  if (parts.length === 3) {
    const [address, port, number] = parts
    const transport = Object.entries(transportNumbers).find(([, code]) => String(code) === number)?.[0]
    if (transport === undefined) return null
    return `sip:${address}:${port}${transport === 'udp' ? '' : `;transport=${transport}`}`
  }
  const uri = value.replace(/%3B/gi, ';').replace(/%3D/gi, '=')
  return uri.startsWith('sip:') ? uri : null
}
