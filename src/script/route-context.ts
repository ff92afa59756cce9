import type { RouteKind, Value } from '../../grammar/declarations.ts'
import type { Place } from '../../grammar/program.ts'
import type { RouteContext } from '../plugin/route-context.ts'
import type { Branch, ReplyOptions, ResponseContext } from '../proxy/proxy.ts'
import { createTarget, type Target } from '../proxy/target.ts'
import { createEditList, type EditList } from '../sip/edit.ts'
import type { SipMessage } from '../sip/message.ts'
import { isFault, scanMessage } from '../sip/scan.ts'
import { parseUri, type Uri } from '../sip/uri.ts'
import { writeMessage } from '../sip/write.ts'
import type { Flow, ListenSocket } from '../transport/socket.ts'
import type { ScriptScope } from './scope.ts'
import type { Surroundings } from './surroundings.ts'

/**
 * One message on its way through one route. Made for every message, so it has one shape, and what most messages
 * never need (edits, a parsed Request-URI) is made when it is first asked for.
 *
 * Hot: one for every message that the script sees.
 */
export class ScriptRun implements RouteContext {
  readonly surroundings: Surroundings
  readonly kind: RouteKind
  readonly route: string
  readonly flow: Flow
  readonly scope: ScriptScope
  /** `$mi`. */
  readonly number: number
  message: SipMessage
  transaction: ResponseContext | null = null
  target: Target
  branches: Target[] = []
  branch: Branch | null = null
  requestUriChanged = false
  replyStatus: { code: number; reason: string } | null = null
  replyHeaders = ''
  replyBody: { text: string; contentType: string } | null = null
  forceRport = false
  scriptFlags = 0
  isReplied = false

  rc = 1
  ended = 0
  vars: Value[]
  depth = 0
  steps = 0
  at = -1

  /** What the route returned; 1 until it has. */
  outcome = 1
  /** Something threw. */
  hasFailed = false
  /** Someone else answered for this run: its deadline is over. Whatever it still does has no effect. */
  isAbandoned = false
  /** An answer that replyLater() promised and that is not out yet: fulfilled when it is. */
  promisedReply: Promise<void> | null = null
  /** What onsend_route is about; null elsewhere. */
  sending: Sending | null = null
  /** `$err.class` and friends; null while nothing went wrong. */
  problem: ScriptProblem | null = null
  /** `$vn`, `$vz` by name. */
  names: Map<string, Value> | null = null
  #edits: EditList | null = null
  #uriText = ''
  #uri: Uri | null = null
  /** The message whose From and To these are; undefined: not asked for yet. */
  #addressed: SipMessage | null = null
  #fromUri: Uri | null | undefined = undefined
  #toUri: Uri | null | undefined = undefined
  #wall = 0

  constructor(
    surroundings: Surroundings,
    kind: RouteKind,
    route: string,
    message: SipMessage,
    flow: Flow,
    scope: ScriptScope,
    target: Target | null = null,
  ) {
    this.surroundings = surroundings
    this.kind = kind
    this.route = route
    this.message = message
    this.flow = flow
    this.scope = scope
    this.number = surroundings.messageCount
    this.target = target ?? createTarget(message.requestUri)
    this.vars = scope.version.slots.slice()
  }

  get edits(): EditList {
    return (this.#edits ??= createEditList())
  }

  set edits(edits: EditList) {
    this.#edits = edits
  }

  get hasEdits(): boolean {
    return this.#edits !== null && !this.#edits.isEmpty
  }

  get requestUri(): Uri | null {
    const text = this.target.uri
    if (text !== this.#uriText) {
      this.#uriText = text
      this.#uri = parseUri(text)
    }
    return this.#uri
  }

  /**
   * The URI of From; null if it is none. Scripts ask for its user and its host again and again: parsed once for all,
   * which saves 0.7 us in a script that looks seven times, and where it stands, without the header around it.
   */
  get fromUri(): Uri | null {
    if (this.#addressed !== this.message) this.#forgetAddresses()
    if (this.#fromUri === undefined) this.#fromUri = this.message.readFromUri()
    return this.#fromUri
  }

  get toUri(): Uri | null {
    if (this.#addressed !== this.message) this.#forgetAddresses()
    if (this.#toUri === undefined) this.#toUri = this.message.readToUri()
    return this.#toUri
  }

  /** Unix milliseconds, the same for the whole run: `$TS`. */
  get wall(): number {
    if (this.#wall === 0) this.#wall = this.surroundings.services.clock.wall()
    return this.#wall
  }

  /** Where the script is now; null before its first call. */
  get place(): Place | null {
    return this.scope.version.linked.program.places[this.at] ?? null
  }

  get branchesMax(): number {
    return this.surroundings.services.proxy.settings.branchesMax
  }

  get logPrefix(): string {
    return this.scope.version.logPrefix?.(this as never) ?? ''
  }

  reply(statusCode: number, reason: string, options?: ReplyOptions): number {
    if (!this.#mayReply()) return -1
    if (!this.#send(statusCode, reason, options)) return -1
    if (statusCode >= 200) this.isReplied = true
    return 1
  }

  replyLater(
    ready: Promise<{ statusCode: number; reason: string; headers?: string } | null>,
    statusCode: number,
    reason: string,
    options?: ReplyOptions,
  ): number {
    if (!this.#mayReply()) return -1
    const { services, gate } = this.surroundings
    if (gate.isFull) return this.reply(503, 'Service Unavailable', { headers: 'Retry-After: 5\r\n' })
    this.isReplied = true
    const { promise, resolve } = Promise.withResolvers<void>()
    this.promisedReply = promise
    services.transactions.setPending(this.message, true)
    const finish = (code: number, phrase: string, replyOptions: ReplyOptions | undefined) => {
      this.promisedReply = null
      services.transactions.setPending(this.message, false)
      this.#send(code, phrase, replyOptions)
      resolve()
    }
    const wait = gate.enter(() => finish(500, 'Server Internal Error', undefined))
    ready.then(
      (instead) => {
        if (!gate.leave(wait)) return
        if (instead === null) finish(statusCode, reason, options)
        else finish(instead.statusCode, instead.reason, headersOnly(instead.headers))
      },
      (error: unknown) => {
        services.log.error({ ...this.logFields(), err: error }, 'a promised answer failed: 500 instead')
        if (gate.leave(wait)) finish(500, 'Server Internal Error', undefined)
      },
    )
    return 1
  }

  applyEdits(): boolean {
    if (!this.hasEdits && this.target.uri === this.message.requestUri) return true
    const options = this.message.isRequest ? { requestUri: this.target.uri } : {}
    const scanned = scanMessage(writeMessage(this.message, this.#edits, options))
    if (isFault(scanned)) return false
    this.message = scanned
    this.#edits = null
    return true
  }

  explain(what: string, why: string): void {
    const { log } = this.surroundings.services
    if (log.enabled('debug')) log.debug({ ...this.logFields(), what }, why)
  }

  logFields(): Record<string, unknown> {
    const { message, flow, place } = this
    const fields: Record<string, unknown> = {
      callId: message.callId,
      cseq: message.cseq === null ? '' : `${message.cseq.number} ${message.cseq.method}`,
      method: message.method,
      source: `${flow.socket.transport}:${flow.address}:${flow.port}`,
    }
    if (!message.isRequest) fields['status'] = message.statusCode
    if (place) fields['place'] = `${place.file}:${place.line}`
    return fields
  }

  #forgetAddresses(): void {
    this.#addressed = this.message
    this.#fromUri = undefined
    this.#toUri = undefined
  }

  #mayReply(): boolean {
    if (this.isReplied || this.isAbandoned || !this.message.isRequest) return false
    return this.message.method !== 'ACK'
  }

  #send(statusCode: number, reason: string, options: ReplyOptions | undefined): boolean {
    const complete = this.#withOwn(options)
    if (this.transaction) return this.transaction.reply(statusCode, reason, complete)
    const { stateless } = this.surroundings.services.proxy
    return stateless.reply(this.message, this.flow, statusCode, reason, complete)
  }

  /** What the script said about our answers before: append_to_reply(), set_reply_body(), force_rport(). */
  #withOwn(options: ReplyOptions | undefined): ReplyOptions | undefined {
    const { replyHeaders, replyBody, forceRport } = this
    if (replyHeaders === '' && replyBody === null && !forceRport) return options
    const complete: ReplyOptions = {
      headers: options?.headers === undefined ? replyHeaders : replyHeaders + options.headers,
      forceRport: forceRport || options?.forceRport === true,
    }
    const body = options?.body ?? replyBody?.text
    const contentType = options?.contentType ?? replyBody?.contentType
    if (body !== undefined) complete.body = body
    if (contentType !== undefined) complete.contentType = contentType
    return complete
  }
}

/** A request as it is about to leave: what onsend_route looks at. */
export interface Sending {
  readonly text: string
  readonly socket: ListenSocket
  readonly address: string
  readonly port: number
}

export interface ScriptProblem {
  readonly class: number
  readonly level: number
  readonly info: string
  readonly statusCode: number
  readonly reason: string
}

function headersOnly(headers: string | undefined): ReplyOptions | undefined {
  return headers === undefined ? undefined : { headers }
}
