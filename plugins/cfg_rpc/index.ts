import { definePlugin } from '../../src/plugin/index.ts'

export default definePlugin({
  name: 'cfg_rpc',
  summary: 'Changes settings at run time.',
  ignored: 'settings are changed by reloading the script',
})
