import { acceptedParams, definePlugin } from '../../src/plugin/index.ts'

const why = 'PostgreSQL is not supported: give db_url an SQLite file with the same tables'

export default definePlugin({
  name: 'db_postgres',
  summary: 'Databases in PostgreSQL.',
  ignored: why,
  params: acceptedParams(
    ['retries', 'lockset', 'timeout', 'tcp_keepalive', 'ssl_mode', 'bytea_output_escape'],
    why,
  ),
})
