import { acceptedParams, definePlugin } from '../../src/plugin/index.ts'

const why = 'Kamailio removed it in version 5'

export default definePlugin({
  name: 'mi_fifo',
  summary: 'Management interface of old versions over a FIFO.',
  ignored: why,
  params: acceptedParams(
    ['fifo_name', 'fifo_mode', 'fifo_group', 'fifo_user', 'reply_dir', 'reply_indent'],
    why,
  ),
})
