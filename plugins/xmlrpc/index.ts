import { acceptedParams, definePlugin } from '../../src/plugin/index.ts'

const why = 'remote control of this process is part of its own control interface'

export default definePlugin({
  name: 'xmlrpc',
  summary: 'XML-RPC over HTTP.',
  ignored: why,
  params: acceptedParams(
    ['route', 'autoconversion', 'escape_cr', 'double_lf_to_crlf', 'mode', 'url_match', 'url_skip'],
    why,
  ),
})
