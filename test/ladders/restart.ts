import { type Server, type ServerOptions, startServer } from '../../src/server.ts'

/** A router that a ladder can stop and start again on the same store, network and clock: its `start` option. */
export function restartable() {
  let options: ServerOptions | null = null
  return {
    start(given: ServerOptions): Promise<Server> {
      options = given
      return startServer(given)
    },
    /** The ladder stops the first router only: stop this one yourself. */
    async again(running: Server): Promise<Server> {
      if (options === null) throw new Error('nothing was started')
      await running.stop(0)
      return await startServer(options)
    },
  }
}
