import { acceptedParams, definePlugin } from '../../src/plugin/index.ts'

const why = 'remote control of this process is part of its own control interface, not of a script module'

export default definePlugin({
  name: 'jsonrpcs',
  summary: 'JSON-RPC over FIFO, datagram and TCP sockets.',
  ignored: why,
  params: acceptedParams(
    [
      'pretty_format',
      'transport',
      'fifo_name',
      'fifo_mode',
      'fifo_group',
      'fifo_user',
      'fifo_reply_dir',
      'dgram_socket',
      'dgram_workers',
      'dgram_timeout',
      'dgram_mode',
      'dgram_group',
      'dgram_user',
      'tcp_socket',
    ],
    why,
  ),
})
