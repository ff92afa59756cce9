import { acceptedParams, definePlugin } from '../../src/plugin/index.ts'

const why = 'counters are exported as metrics; those of a script itself are not built yet'

export default definePlugin({
  name: 'counters',
  summary: 'Counters of a script.',
  ignored: why,
  params: acceptedParams(['script_counter', 'script_cnt_grp_name'], why),
})
