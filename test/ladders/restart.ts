import type { Server } from '../../src/server.ts'
import { type RouterOptions, startRouter } from '../../src/testing/router.ts'

/** A router that a ladder can stop and start again on the same store, network and clock: its `start` option. */
export function restartable() {
  let options: RouterOptions | null = null
  return {
    start(given: RouterOptions): Promise<Server> {
      options = given
      return startRouter(given)
    },
    /** The ladder stops the first router only: stop this one yourself. */
    async again(running: Server): Promise<Server> {
      if (options === null) throw new Error('nothing was started')
      await running.stop(0)
      return await startRouter(options)
    },
  }
}
