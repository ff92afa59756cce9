import { limits } from '../limits.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import type { Metrics } from '../runtime/metrics.ts'
import type { Random } from '../runtime/random.ts'
import type { SipMessage } from '../sip/message.ts'
import type { Answer } from '../transaction/answer-ring.ts'
import type { SendDatagram, ServerTransaction, TransactionLayer } from '../transaction/transaction.ts'
import type { Flow, ListenSocket, SocketTable } from '../transport/socket.ts'
import type { Network } from '../transport/transport.ts'
import { ProxyBranch } from './branch.ts'
import { ContextList } from './context-list.ts'
import { forwardedResponse, hasFurtherVia, viaPrefix } from './forward.ts'
import { LocalResponses } from './local-response.ts'
import { OwnRequests } from './own-request.ts'
import type {
  Branch,
  BranchEnd,
  OwnRequest,
  ProxyCore,
  ProxyHandlers,
  ProxySettings,
  ProxyStatistics,
  ResponseContext,
  StatelessProxy,
} from './proxy.ts'
import { ProxyContext } from './response-context.ts'
import type { ProxyServices } from './services.ts'
import { StatelessCore } from './stateless.ts'

/** The proxy core (RFC 3261 §16): makes response contexts and finds them again. */
export interface ProxyOptions {
  readonly transactions: TransactionLayer
  readonly sockets: SocketTable
  readonly send: SendDatagram
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly metrics: Metrics
  readonly resolve: Network['resolve']
  /** Has the transport hash what requests are known by: Transport.identifyBy(). */
  readonly identifyBy?: (key: Uint8Array) => void
  /** Signs the branches of statelessly forwarded requests; all workers of one router must share it. Random if absent. */
  readonly branchKey?: string
}

export function createProxy(options: ProxyOptions): ProxyCore {
  return new Core(options)
}

/** tm's defaults. */
function defaultProxySettings(): ProxySettings {
  return {
    autoInvite100: true,
    autoInvite100Reason: 'trying -- your call is important to us',
    remap503To500: true,
    aggregateChallenges: true,
    failureReplyMode: 0,
    serverHeader: '',
    userAgentHeader: '',
    maxForwardsDefault: limits.maxForwardsDefault,
    branchesMax: limits.branchesMax,
    restartTimerOnEachReply: true,
    maxLifetimeInvite: 180_000,
    maxLifetimeNonInvite: 32_000,
    disable6xxBlock: false,
    localCancelReason: true,
  }
}

class Core implements ProxyCore, ProxyServices {
  readonly transactions: TransactionLayer
  readonly sockets: SocketTable
  readonly send: SendDatagram
  readonly resolve: Network['resolve']
  readonly clock: Clock
  readonly log: Log
  readonly responses: LocalResponses
  readonly stateless: StatelessProxy
  readonly settings: ProxySettings
  readonly statistics: ProxyStatistics = emptyStatistics()
  handlers: ProxyHandlers = noHandlers
  readonly #contexts = new ContextList()
  readonly #listeners: ((end: BranchEnd) => void)[] = []
  readonly #viaPrefixes: string[] = []
  readonly #ownRequests: OwnRequests

  constructor(options: ProxyOptions) {
    this.transactions = options.transactions
    this.sockets = options.sockets
    this.send = options.send
    this.resolve = options.resolve
    this.clock = options.clock
    this.log = options.log
    this.settings = defaultProxySettings()
    this.responses = new LocalResponses(options.sockets, this.settings)
    this.stateless = new StatelessCore(this, options.branchKey ?? options.random.hex(32), options.identifyBy)
    this.#ownRequests = new OwnRequests(this, options.random)
    options.transactions.onFurtherSuccess = (response, upstream) => this.#forwardFurther(response, upstream)
    exportMetrics(this, options.metrics)
  }

  get contextCount(): number {
    return this.#contexts.count
  }

  contexts(): Iterable<ResponseContext> {
    return this.#contexts.oldestFirst()
  }

  get isWatched(): boolean {
    return this.#listeners.length > 0
  }

  createContext(request: SipMessage, flow: Flow, scope: object): ResponseContext | null {
    const server = this.transactions.createServer(request, flow, null)
    if (server === null) return null
    const context = new ProxyContext(this, server, scope)
    server.user = context
    this.#contexts.add(context)
    this.statistics.created++
    return context
  }

  findContext(request: SipMessage): ResponseContext | null {
    if (request.method === 'CANCEL') return this.findCancelled(request)
    return this.#contextOf(this.transactions.findServer(request))
  }

  findCancelled(cancel: SipMessage): ResponseContext | null {
    return this.#contextOf(this.transactions.findCancelled(cancel))
  }

  knowsResponse(response: SipMessage): boolean {
    return this.transactions.knowsResponse(response)
  }

  /** Of an INVITE that was settled there is none any more: it is made up again, answered as it was. */
  #contextOf(server: ServerTransaction | null): ResponseContext | null {
    const user = server?.user ?? null
    if (user instanceof ProxyContext) return user
    return server?.isTerminated ? new ProxyContext(this, server, noScope) : null
  }

  /** RFC 3261 §16.7 step 5, for an INVITE that was settled: a 2xx goes upstream however often it comes. */
  #forwardFurther(response: SipMessage, upstream: Answer): void {
    this.statistics.repliesReceived++
    if (!hasFurtherVia(response)) return
    this.send(upstream.socket, forwardedResponse(response, null), upstream.address, upstream.port)
    this.statistics.repliesSent++
  }

  findContextOfResponse(response: SipMessage): { context: ResponseContext; branch: Branch } | null {
    const user = this.transactions.findClient(response)?.user
    return user instanceof ProxyBranch ? { context: user.context, branch: user } : null
  }

  sendRequest(request: OwnRequest): void {
    this.#ownRequests.send(request)
  }

  onOwnRequest(listener: (request: SipMessage, flow: Flow) => string | null): void {
    this.#ownRequests.listeners.push(listener)
  }

  onBranchEnd(listener: (end: BranchEnd) => void): void {
    this.#listeners.push(listener)
  }

  // What contexts and the stateless proxy ask for.

  readonly viaPrefix = (socket: ListenSocket): string => {
    this.#viaPrefixes[socket.index] ??= viaPrefix(socket)
    return this.#viaPrefixes[socket.index] ?? ''
  }

  branchEnded(end: BranchEnd): void {
    for (const listener of this.#listeners) {
      try {
        listener(end)
      } catch (error) {
        this.log.error({ err: error }, 'a listener for branch ends failed')
      }
    }
  }

  contextEnded(context: ResponseContext): void {
    if (context instanceof ProxyContext && this.#contexts.delete(context)) this.statistics.freed++
  }
}

/** Of a context that is made up: the script's run is over. */
const noScope = {}

function emptyStatistics(): ProxyStatistics {
  return {
    created: 0,
    freed: 0,
    local: 0,
    repliesReceived: 0,
    repliesGenerated: 0,
    repliesSent: 0,
    finalByClass: [0, 0, 0, 0, 0, 0, 0],
    statelessReplies: new Map(),
    statelessAcks: 0,
  }
}

function exportMetrics(core: Core, metrics: Metrics): void {
  const { statistics } = core
  metrics.gauge('viaduct_contexts', 'Requests that are handled statefully now.', () => core.contextCount)
  metrics.gauge('viaduct_contexts_created_total', 'Requests made stateful.', () => statistics.created)
  metrics.gauge(
    'viaduct_responses_received_total',
    'Responses to our branches.',
    () => statistics.repliesReceived,
  )
  metrics.gauge(
    'viaduct_responses_sent_total',
    'Stateful responses sent upstream.',
    () => statistics.repliesSent,
  )
  metrics.gauge(
    'viaduct_responses_generated_total',
    'Stateful responses of our own.',
    () => statistics.repliesGenerated,
  )
}

/** Before the script is linked: nothing is armed. */
const noHandlers: ProxyHandlers = {
  onBranch: () => true,
  onReply: () => true,
  onFailure() {},
  onBranchFailure() {},
}
