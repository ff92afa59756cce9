import { acceptedParams, definePlugin } from '../../src/plugin/index.ts'

const why = 'db_url understands sqlite:////path/to/file without a module'

export default definePlugin({
  name: 'db_sqlite',
  summary: 'Databases in SQLite files.',
  ignored: why,
  params: acceptedParams(['db_set_readonly', 'db_set_journal_mode'], why),
})
