import { reasonPhraseOf } from '../sip/build.ts'
import type { ServerTransaction } from '../transaction/transaction.ts'
import { responseDestination } from '../transport/via.ts'
import { collectChallenges } from './best-response.ts'
import type { ProxyBranch } from './branch.ts'
import { forwardedResponse } from './forward.ts'
import type { ReplyOptions, ResponseContext } from './proxy.ts'
import { errorAnswer, relayErrors } from './relay-error.ts'
import type { ProxyServices } from './services.ts'

/**
 * The way back of one response context: its server transaction, and the rule that one final response goes up it and
 * no second one, whoever asks (RFC 3261 §16.7 steps 5 to 9).
 */
export class Upstream {
  readonly #services: ProxyServices
  readonly #server: ServerTransaction
  readonly #context: ResponseContext
  isAnswered: boolean
  /** Of the final response, 0 before. */
  finalStatus: number

  constructor(services: ProxyServices, server: ServerTransaction, context: ResponseContext) {
    this.#services = services
    this.#server = server
    this.#context = context
    // Of one that was settled all there is to know is that it was answered.
    this.isAnswered = server.isTerminated
    this.finalStatus = server.isTerminated ? server.lastStatus : 0
  }

  /** A response of our own. False if a final one went before. */
  reply(statusCode: number, reason: string, options?: ReplyOptions): boolean {
    if (this.isAnswered) return false
    const { request, flow } = this.#server
    if (options?.forceRport) this.#server.forceRport = true
    const { responses, statistics } = this.#services
    // RFC 3261 §8.2.6.2: 100 has none.
    const tag = statusCode === 100 ? '' : responses.statefulTag(request)
    const forceRport = this.#server.forceRport === true
    statistics.repliesGenerated++
    return this.respond(
      statusCode,
      responses.build(request, flow, statusCode, reason, tag, options, forceRport),
    )
  }

  /** A whole response. False if the server transaction will not have it. */
  respond(statusCode: number, text: string): boolean {
    const { statistics, handlers } = this.#services
    handlers.onLocalResponse?.(this.#context, statusCode)
    if (!this.#server.respond(statusCode, text)) return false
    statistics.repliesSent++
    if (statusCode < 200) return true
    const group = Math.floor(statusCode / 100)
    statistics.finalByClass[group] = (statistics.finalByClass[group] ?? 0) + 1
    this.isAnswered = true
    this.finalStatus = statusCode
    return true
  }

  /** §16.7 step 5: a 2xx to an INVITE, which goes upstream whatever went before it. */
  respondAnyway(statusCode: number, text: string): void {
    if (this.respond(statusCode, text)) return
    const { request, flow } = this.#server
    const { address, port } = responseDestination(request, flow, this.#server.forceRport === true)
    this.#services.send(flow.socket, text, address, port)
    this.#services.statistics.repliesSent++
  }

  /** §16.7 steps 6 to 9: how the best of all branches goes upstream. `error`: what to say if there is none. */
  answer(best: ProxyBranch | null, counted: readonly ProxyBranch[], error: number): void {
    const isInvite = this.#server.method === 'INVITE'
    if (best === null) this.#replyError(error || relayErrors.scriptDropped)
    else if (best.status === 408 && !isInvite) this.#fallSilent()
    else if (best.status === 503 && this.#services.settings.remap503To500)
      this.reply(500, reasonPhraseOf(503))
    else if (best.error !== 0) this.#replyError(best.error)
    else if (best.response === null) this.reply(best.status, reasonPhraseOf(best.status))
    else {
      const challenges = this.#challenges(best.status, counted)
      if (challenges !== null) this.reply(best.status, reasonPhraseOf(best.status), { headers: challenges })
      else this.respond(best.status, forwardedResponse(best.response, best.responseEdits, best.replyStatus))
    }
  }

  /** Nothing will ever be answered: the state goes, the wire stays silent. */
  abandon(): void {
    this.isAnswered = true
    this.#server.release?.()
    this.#services.contextEnded(this.#context)
  }

  #replyError(code: number): void {
    const { statusCode, reason } = errorAnswer(code, 'TM')
    this.reply(statusCode, reason)
  }

  #challenges(status: number, counted: readonly ProxyBranch[]): string | null {
    if ((status !== 401 && status !== 407) || !this.#services.settings.aggregateChallenges) return null
    return collectChallenges(counted)
  }

  /**
   * RFC 4320 §4.2: no 408 to a non-INVITE, whose sender has given up as well. The transaction stays for a while, so
   * that a last retransmission does not run the script anew.
   */
  #fallSilent(): void {
    const { clock, transactions } = this.#services
    this.isAnswered = true
    this.finalStatus = 408
    clock.schedule(transactions.timers.wait, () => this.abandon())
  }
}
