import { definePlugin, type UnservedEndpoint } from '../../src/plugin/index.ts'

const noDatagrams =
  'Node.js has no unix datagram sockets, and commands over UDP would be anybody’s: use fifo_name or viaduct ctl'

const noPorts = 'a socket in the file system has an owner and a mode, a port has none: use viaduct ctl'

/** Bits of `transport`; 0 stands for all of them. */
const fifoTransport = 2

export default definePlugin({
  name: 'jsonrpcs',
  summary:
    'Commands as JSON-RPC over a FIFO, as kamctl sends them. The router has a socket for them without this module.',
  params: {
    pretty_format: { type: 'int', default: 1, doc: 'Writes answers over several lines, if they are short.' },
    transport: { type: 'int', default: 6, doc: 'Sum of what is served: 2 FIFO. 0: all that is named.' },
    fifo_name: {
      type: 'string',
      doc: 'The FIFO that is read; seen from the data directory. None unless it is named: Kamailio has a default.',
    },
    fifo_mode: { type: 'int', default: 0o660, doc: 'Mode of the FIFO.' },
    fifo_group: { type: 'either', doc: 'Group of the FIFO, name or number.' },
    fifo_user: { type: 'either', doc: 'Owner of the FIFO, name or number.' },
    fifo_reply_dir: {
      type: 'string',
      default: '/tmp/',
      doc: 'Where the FIFOs for answers are; a request names one of them, never another file.',
    },
    dgram_socket: { type: 'string', ignored: noDatagrams, doc: 'A datagram socket.' },
    dgram_workers: ignored(noDatagrams),
    dgram_timeout: ignored(noDatagrams),
    dgram_mode: ignored(noDatagrams),
    dgram_group: ignored(noDatagrams),
    dgram_user: ignored(noDatagrams),
    tcp_socket: { type: 'string', ignored: noPorts, doc: 'A TCP socket.' },
  },
  control: (params) => {
    const { fifo_name: path, transport } = params
    const unserved = [
      ...refused('dgram_socket', params.dgram_socket, noDatagrams),
      ...refused('tcp_socket', params.tcp_socket, noPorts),
    ]
    const isWanted = transport === 0 || (transport & fifoTransport) !== 0
    if (path === undefined || path === '' || !isWanted) return unserved
    return [
      ...unserved,
      {
        kind: 'fifo',
        path,
        mode: params.fifo_mode,
        ...(params.fifo_user !== undefined && { user: String(params.fifo_user) }),
        ...(params.fifo_group !== undefined && { group: String(params.fifo_group) }),
        replyDirectory: params.fifo_reply_dir,
        pretty: params.pretty_format !== 0,
      },
    ]
  },
})

function refused(name: string, value: string | undefined, why: string): UnservedEndpoint[] {
  return value === undefined ? [] : [{ kind: 'unserved', what: `jsonrpcs ${name} ${value}`, why }]
}

function ignored(why: string) {
  return { type: 'either', ignored: why, doc: "Parameter of Kamailio's jsonrpcs." } as const
}
