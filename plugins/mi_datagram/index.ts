import { acceptedParams, definePlugin } from '../../src/plugin/index.ts'

const why = 'Kamailio removed it in version 5'

export default definePlugin({
  name: 'mi_datagram',
  summary: 'Management interface of old versions over datagrams.',
  ignored: why,
  params: acceptedParams(
    [
      'socket_name',
      'children_count',
      'unix_socket_mode',
      'unix_socket_group',
      'unix_socket_user',
      'socket_timeout',
      'reply_indent',
    ],
    why,
  ),
})
