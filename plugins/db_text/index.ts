import { acceptedParams, definePlugin } from '../../src/plugin/index.ts'

const why = 'db_url understands text:///directory without a module'

export default definePlugin({
  name: 'db_text',
  summary: 'Databases in text files.',
  ignored: why,
  params: acceptedParams(
    ['db_mode', 'emptystring', 'file_buffer_size', 'db_delim', 'default_connection'],
    why,
  ),
})
