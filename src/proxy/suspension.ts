import { limits } from '../limits.ts'
import type { Timer } from '../runtime/clock.ts'
import { reasonPhraseOf } from '../sip/build.ts'
import type { ResponseContext } from './proxy.ts'
import type { ProxyServices } from './services.ts'

/**
 * A context that waits for a plugin (tm's t_suspend() and t_continue()): until somebody goes on with it, or for as long as
 * a script may wait at all, and then it is answered.
 */
export class Suspension {
  readonly #context: ResponseContext
  readonly #services: ProxyServices
  readonly #deadline: Timer

  /** `onDeadline` is called before the answer: the context waits no more. */
  constructor(context: ResponseContext, services: ProxyServices, onDeadline: () => void) {
    this.#context = context
    this.#services = services
    this.#deadline = services.clock.schedule(limits.scriptWaitMillisecondsMax, () => {
      onDeadline()
      const status = context.server.method === 'INVITE' ? 408 : 500
      context.reply(status, reasonPhraseOf(status))
    })
  }

  end(): void {
    this.#deadline.cancel()
  }

  /** Goes on with that route. */
  resume(route: string): void {
    const { handlers, log } = this.#services
    const done = handlers.onContinue?.(this.#context, route)
    if (done instanceof Promise) {
      done.catch((error: unknown) => log.error({ err: error, route }, 'a continued route failed'))
    }
  }
}
