import { anyRoute, definePlugin } from 'viaduct/plugin'

/** Everything that a plugin may do wrong, for hostile.test.ts. */
const waits = { in: anyRoute, returns: { 1: 'never' }, waits: true, doc: 'Fails.' } as const
const plain = { in: anyRoute, returns: { 1: 'never' }, doc: 'Fails.' } as const

export default definePlugin({
  name: 'faulty',
  summary: 'Fails in every way that a plugin can.',
  functions: {
    throws: plain,
    throws_text: plain,
    throws_nothing: plain,
    rejects: waits,
    rejects_later: waits,
    schedules: plain,
    waits_for_ever: waits,
  },
  setup({ clock, every }) {
    let isBroken = false
    every(1_000, () => {
      if (isBroken) throw new Error('broken in a timer')
    })
    return {
      functions: {
        throws() {
          throw new Error('broken')
        },
        throws_text() {
          throw 'broken'
        },
        throws_nothing() {
          throw undefined
        },
        rejects: () => Promise.reject(new Error('broken at once')),
        rejects_later: () =>
          new Promise((_, reject) => {
            clock.schedule(500, () => reject(new Error('broken later')))
          }),
        schedules() {
          isBroken = true
          return 1
        },
        waits_for_ever: () => new Promise(() => {}),
      },
    }
  },
})
