import { acceptedParams, definePlugin } from '../../src/plugin/index.ts'

const why = 'Redis is not supported: give db_url an SQLite file with the same tables'

export default definePlugin({
  name: 'db_redis',
  summary: 'Databases in Redis.',
  ignored: why,
  params: acceptedParams(['keys', 'schema_path', 'verbosity', 'mapping', 'opt_tls'], why),
})
