import { monitorEventLoopDelay } from 'node:perf_hooks'
import { definePlugin } from '../../../src/plugin/index.ts'

/** For tests: for how long the loop of the router was held at most, since somebody asked last. */
export default definePlugin({
  name: 'gaps',
  summary: 'Measures how long the loop is held.',
  rpc: { 'gaps.longest': { doc: 'Milliseconds, since the last time that somebody asked.' } },
  setup() {
    const delay = monitorEventLoopDelay({ resolution: 1 })
    delay.enable()
    return {
      rpc: {
        'gaps.longest'() {
          const longest = delay.max / 1e6
          delay.reset()
          return longest
        },
      },
      close: () => void delay.disable(),
    }
  },
})
