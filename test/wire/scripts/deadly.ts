import { anyRoute, definePlugin } from 'viaduct/plugin'

/** For tests: says which worker it is, and ends it in the ways that threads end. */
export default definePlugin({
  name: 'deadly',
  summary: 'Ends the worker that runs it.',
  functions: {
    die: {
      in: anyRoute,
      args: [{ name: 'how', type: 'string', doc: 'exit, memory or throw.' }],
      returns: { '1': 'it lives' },
      doc: 'Ends this worker.',
    },
    dawdle: { in: anyRoute, returns: { '1': 'done' }, doc: 'Computes for half a millisecond.' },
  },
  variables: { worker: { inner: 'name', type: 'int', doc: 'index or count.' } },
  setup({ workers }) {
    return {
      functions: {
        die(_context, how) {
          if (how === 'exit') process.exit(7)
          if (how === 'throw') {
            setTimeout(() => {
              throw new Error('thrown in a timer')
            })
          }
          const hoard: number[][] = []
          while (how === 'memory') hoard.push(Array.from({ length: 100_000 }, Math.random))
          return 1
        },
        dawdle() {
          const until = performance.now() + 0.5
          while (performance.now() < until);
          return 1
        },
      },
      variables: { worker: { read: (_context, name) => (name === 'count' ? workers.count : workers.index) } },
    }
  },
})
