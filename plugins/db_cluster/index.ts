import { acceptedParams, definePlugin } from '../../src/plugin/index.ts'

const why = 'clusters of databases are not supported: give db_url an SQLite file'

export default definePlugin({
  name: 'db_cluster',
  summary: 'Several databases behind one.',
  ignored: why,
  params: acceptedParams(['connection', 'cluster', 'inactive_interval', 'max_query_length'], why),
})
