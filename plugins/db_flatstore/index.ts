import { acceptedParams, definePlugin } from '../../src/plugin/index.ts'

const why = 'no module writes records yet'

export default definePlugin({
  name: 'db_flatstore',
  summary: 'Records appended to text files.',
  ignored: why,
  params: acceptedParams(['flush', 'encapsulate_delimiter', 'flat_rotate', 'prefix_suffix'], why),
})
