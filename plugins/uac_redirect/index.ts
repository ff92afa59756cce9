import { acceptedParams, definePlugin } from '../../src/plugin/index.ts'

const why = 'redirections are not followed by a module yet: use a failure route'

export default definePlugin({
  name: 'uac_redirect',
  summary: 'Follows redirections.',
  ignored: why,
  params: acceptedParams(
    [
      'default_filter',
      'deny_filter',
      'accept_filter',
      'acc_function',
      'acc_db_table',
      'bflags',
      'flags',
      'q_value',
    ],
    why,
  ),
})
