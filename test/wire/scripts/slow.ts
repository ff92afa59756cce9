import { definePlugin } from 'viaduct/plugin'

/** For tests: what plugins should not do. */
export default definePlugin({
  name: 'slow',
  summary: 'Blocks the event loop, waits for ever, throws where nobody catches it.',
  functions: {
    slow_block: {
      in: ['request'],
      args: [{ name: 'milliseconds', type: 'int', doc: 'How long nothing else runs.' }],
      returns: { '1': 'always' },
      doc: 'Keeps the processor busy.',
    },
    slow_never: { in: ['request'], waits: true, returns: {}, doc: 'Never answers.' },
    slow_throw: { in: ['request'], returns: {}, doc: 'Throws in the script.' },
    slow_stray: {
      in: ['request'],
      returns: { '1': 'always' },
      doc: 'Throws later, where nobody catches it.',
    },
  },
  setup() {
    return {
      functions: {
        slow_block(_context, milliseconds) {
          const end = performance.now() + milliseconds
          while (performance.now() < end);
          return 1
        },
        slow_never: () => new Promise<number>(() => undefined),
        slow_throw() {
          throw new Error('thrown in a plugin function')
        },
        slow_stray() {
          setTimeout(() => {
            throw new Error('thrown in a timer')
          }, 1)
          void Promise.reject(new Error('rejected and forgotten'))
          return 1
        },
      },
    }
  },
})
