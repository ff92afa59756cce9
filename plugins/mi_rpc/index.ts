import { acceptedParams, definePlugin } from '../../src/plugin/index.ts'

const why = 'Kamailio removed it in version 5'

export default definePlugin({
  name: 'mi_rpc',
  summary: 'Management interface of old versions over RPC.',
  ignored: why,
  params: acceptedParams(['rpc_url'], why),
})
