import { acceptedParams, definePlugin } from '../../src/plugin/index.ts'

const why = 'MySQL is not supported: give db_url an SQLite file with the same tables'

export default definePlugin({
  name: 'db_mysql',
  summary: 'Databases in MySQL.',
  ignored: why,
  params: acceptedParams(
    [
      'ping_interval',
      'timeout_interval',
      'auto_reconnect',
      'insert_delayed',
      'update_affected_found',
      'unsigned_type',
      'opt_ssl_mode',
      'opt_ssl_ca',
    ],
    why,
  ),
})
