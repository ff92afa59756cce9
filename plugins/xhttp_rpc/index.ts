import { acceptedParams, definePlugin } from '../../src/plugin/index.ts'

const why = 'remote control of this process is part of its own control interface'

export default definePlugin({
  name: 'xhttp_rpc',
  summary: 'RPC pages over HTTP.',
  ignored: why,
  params: acceptedParams(['xhttp_rpc_root', 'xhttp_rpc_buf_size'], why),
})
