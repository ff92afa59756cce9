import { acceptedParams, definePlugin } from '../../src/plugin/index.ts'

const why = 'queries of scripts are not built yet'

export default definePlugin({
  name: 'sqlops',
  summary: 'SQL queries of a script.',
  ignored: why,
  params: acceptedParams(['sqlcon', 'sqlres', 'tr_buf_size', 'connect_mode', 'results_maxsize'], why),
})
