import { acceptedParams, definePlugin } from '../../src/plugin/index.ts'

const why = 'metrics are kept and exported by the process itself'

export default definePlugin({
  name: 'statsc',
  summary: 'Collects statistics over time.',
  ignored: why,
  params: acceptedParams(['interval', 'items', 'track'], why),
})
