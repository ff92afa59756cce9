import { acceptedParams, definePlugin } from '../../src/plugin/index.ts'

const why = 'remote control of this process is part of its own control interface, not of a script module'

export default definePlugin({
  name: 'ctl',
  summary: "Kamailio's binary control sockets (kamcmd).",
  ignored: why,
  params: acceptedParams(
    [
      'binrpc',
      'fifo',
      'binrpc_buffer_size',
      'binrpc_max_body_size',
      'binrpc_struct_max_body_size',
      'autoconversion',
      'mode',
      'user',
      'group',
      'fifo_reply_retries',
      'fifo_reply_wait',
    ],
    why,
  ),
})
