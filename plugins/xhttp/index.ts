import { acceptedParams, definePlugin } from '../../src/plugin/index.ts'

const why = 'HTTP has a server of its own'

export default definePlugin({
  name: 'xhttp',
  summary: 'HTTP requests on SIP sockets.',
  ignored: why,
  params: acceptedParams(['url_match', 'url_skip', 'event_callback'], why),
})
