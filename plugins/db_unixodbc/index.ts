import { acceptedParams, definePlugin } from '../../src/plugin/index.ts'

const why = 'ODBC is not supported: give db_url an SQLite file with the same tables'

export default definePlugin({
  name: 'db_unixodbc',
  summary: 'Databases through ODBC.',
  ignored: why,
  params: acceptedParams(['quote_char', 'ping_interval', 'auto_reconnect', 'use_escape_common'], why),
})
