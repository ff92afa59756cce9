import type { Random } from '../runtime/random.ts'
import {
  changeHeaders,
  type HeaderChanges,
  type HeaderLines,
  parseStatus,
  responseHeaders,
  writeLines,
} from './agent-message.ts'
import type { SimulatedClock } from './clock.ts'
import { type Dialog, dialogOfRequest, dialogOfResponse, makesDialog, withTarget } from './dialog.ts'
import { answerChallenge, readChallenge } from './digest.ts'
import { LadderMismatch } from './expectation.ts'
import type { Endpoint } from './nat.ts'
import type { SimulatedHost, SimulatedSocket } from './network.ts'
import { identityOf, Received } from './received.ts'

/**
 * The part of an agent that speaks SIP: it fills in what no test wants to write (Via, tags, Call-ID, CSeq, Contact,
 * Route), remembers challenges and dialogs, and acknowledges failures of its INVITEs as a transaction layer would.
 */
export interface AgentOptions {
  /** User part of its address-of-record; its name in the ladder if not given. */
  readonly user?: string
  /** Host part of From and To. */
  readonly domain?: string
  readonly port?: number
  readonly password?: string
  /** False: its Via has no rport parameter. Default true. */
  readonly rport?: boolean
  /** False: its failures are not acknowledged. */
  readonly acknowledges?: boolean
}

export interface SendOptions {
  /** Null removes a header, a text replaces it or adds one. */
  readonly headers?: HeaderChanges
  readonly body?: string
  readonly contentType?: string
  /** Where the datagram goes, if not to the router or, for a response, to where its request came from. */
  readonly to?: Endpoint
  /** The request that a response answers, if not the last one without a final response. */
  readonly request?: Received
}

/** What the agents of one ladder share. */
export interface AgentSurroundings {
  readonly clock: SimulatedClock
  readonly random: Random
  /** Where requests go. */
  readonly router: Endpoint
  /** Notes what the test expects, in the words of the test. */
  step(text: string): void
}

interface SentRequest {
  readonly method: string
  readonly requestUri: string
  readonly headers: HeaderLines
  readonly body: string
  readonly branch: string
  readonly to: Endpoint
}

export class UserAgent {
  readonly name: string
  readonly host: SimulatedHost
  readonly port: number
  readonly user: string
  readonly domain: string
  password: string
  rport: boolean
  acknowledges: boolean
  /** Everything that came, in order, ignored things included. */
  readonly inbox: Received[] = []
  protected readonly surroundings: AgentSurroundings
  readonly #socket: SimulatedSocket
  readonly #seen = new Set<string>()
  readonly #sentByBranch = new Map<string, SentRequest>()
  readonly #automatic = new Map<string, number>()
  #lastText = ''
  #lastTo: Endpoint
  #lastRequest: SentRequest | null = null
  #lastChallenge: Received | null = null
  #lastInvite: SentRequest | null = null
  #dialog: Dialog | null = null
  #cseq = 0
  #nonceCount = 0

  constructor(
    name: string,
    host: SimulatedHost,
    surroundings: AgentSurroundings,
    options: AgentOptions = {},
  ) {
    this.name = name
    this.host = host
    this.port = options.port ?? 5060
    this.user = options.user ?? name
    this.domain = options.domain ?? 'example.com'
    this.password = options.password ?? ''
    this.rport = options.rport ?? true
    this.acknowledges = options.acknowledges ?? true
    this.surroundings = surroundings
    this.#lastTo = surroundings.router
    this.#socket = host.bind(host.address, this.port, {
      onDatagram: (text, source) => this.#onDatagram(text, source),
      onError() {},
    })
  }

  /** `sip:alice@example.com` */
  get aor(): string {
    return `sip:${this.user}@${this.domain}`
  }

  /** `sip:alice@192.0.2.11:5060`: where it is, in its own view. */
  get contact(): string {
    return `sip:${this.user}@${this.#hostPort}`
  }

  /** From now on requests of that method are answered at once and never seen by `receives`; 0 stops it. */
  answers(method: string, statusCode: number): void {
    if (statusCode === 0) this.#automatic.delete(method)
    else this.#automatic.set(method, statusCode)
  }

  get #hostPort(): string {
    const { address } = this.host
    return `${address.includes(':') ? `[${address}]` : address}:${this.port}`
  }

  // Sending.

  protected request(what: string, options: SendOptions): string {
    const [method = '', uri = ''] = what.split(' ')
    if (method === 'CANCEL') return this.#cancel(options)
    if (method === 'ACK' && uri === '') return this.#acknowledgeSuccess(options)
    const dialog = uri === '' ? this.#dialog : null
    if (uri === '' && dialog === null) throw new LadderMismatch(`${this.name} has no dialog for ${method}`)
    const headers = dialog
      ? this.#headersInDialog(dialog, ++dialog.cseq, method)
      : this.#headersOutside(method, uri)
    return this.#leave(method, dialog?.target ?? uri, headers, options)
  }

  #headersOutside(method: string, uri: string): HeaderLines {
    const { random } = this.surroundings
    this.#cseq++
    const to = method === 'REGISTER' ? this.aor : uri
    return [
      ['Max-Forwards', '70'],
      ['From', `<${this.aor}>;tag=${random.hex(4)}`],
      ['To', `<${to}>`],
      ['Call-ID', `${random.hex(8)}@${this.host.address}`],
      ['CSeq', `${this.#cseq} ${method}`],
      ...this.#contactFor(method),
    ]
  }

  #headersInDialog(dialog: Dialog, cseq: number, method: string): HeaderLines {
    return [
      ...dialog.routes.map((route) => ['Route', route] as const),
      ['Max-Forwards', '70'],
      ['From', dialog.local],
      ['To', dialog.remote],
      ['Call-ID', dialog.callId],
      ['CSeq', `${cseq} ${method}`],
      ...this.#contactFor(method),
    ]
  }

  /** RFC 3428 §4: a MESSAGE has no Contact. */
  #contactFor(method: string): HeaderLines {
    const has = ['INVITE', 'REGISTER', 'SUBSCRIBE', 'NOTIFY', 'UPDATE', 'REFER'].includes(method)
    return has ? [['Contact', `<${this.contact}>`]] : []
  }

  #leave(
    method: string,
    requestUri: string,
    headers: HeaderLines,
    options: SendOptions,
    branch?: string,
  ): string {
    const { body = '' } = options
    const type = body === '' && options.contentType === undefined ? [] : [contentType(options)]
    const lines: HeaderLines = [
      ['Via', this.#via(branch ?? `z9hG4bK${this.surroundings.random.hex(8)}`)],
      ...headers,
      ...type,
      ['Content-Length', String(body.length)],
    ]
    const changed = changeHeaders(lines, options.headers ?? {})
    const request: SentRequest = {
      method,
      requestUri,
      headers: changed,
      body,
      branch: /branch=([^;,\s]*)/.exec(changed.find(([name]) => name === 'Via')?.[1] ?? '')?.[1] ?? '',
      to: options.to ?? this.surroundings.router,
    }
    if (method !== 'ACK' && method !== 'CANCEL') this.#remember(request)
    const text = writeLines(`${method} ${requestUri} SIP/2.0`, changed, body)
    this.transmit(text, request.to)
    return text
  }

  #remember(request: SentRequest): void {
    this.#lastRequest = request
    this.#sentByBranch.set(request.branch, request)
    if (request.method === 'INVITE') this.#lastInvite = request
    this.#cseq = Number.parseInt(headerOf(request, 'CSeq'), 10) || this.#cseq
  }

  #via(branch: string): string {
    return `SIP/2.0/UDP ${this.#hostPort};branch=${branch}${this.rport ? ';rport' : ''}`
  }

  /** RFC 3261 §9.1: the Request-URI, Call-ID, To, From, CSeq number, Route and topmost Via of the INVITE. */
  #cancel(options: SendOptions): string {
    const invite = this.#lastInvite
    if (invite === null) throw new LadderMismatch(`${this.name} has no INVITE to cancel`)
    return this.#leave(
      'CANCEL',
      invite.requestUri,
      this.#sameHop(invite, 'CANCEL'),
      { to: invite.to, ...options },
      invite.branch,
    )
  }

  #sameHop(request: SentRequest, method: string, to = headerOf(request, 'To')): HeaderLines {
    const routes = request.headers.filter(([name]) => name === 'Route')
    return [
      ...routes,
      ['Max-Forwards', '70'],
      ['From', headerOf(request, 'From')],
      ['To', to],
      ['Call-ID', headerOf(request, 'Call-ID')],
      ['CSeq', `${Number.parseInt(headerOf(request, 'CSeq'), 10)} ${method}`],
    ]
  }

  #acknowledgeSuccess(options: SendOptions): string {
    const invite = this.#lastInvite
    const dialog = this.#dialog
    if (invite === null || dialog === null)
      throw new LadderMismatch(`${this.name} has nothing to acknowledge`)
    const cseq = Number.parseInt(headerOf(invite, 'CSeq'), 10)
    return this.#leave('ACK', dialog.target, this.#headersInDialog(dialog, cseq, 'ACK'), options)
  }

  #again(request: SentRequest, changes: HeaderChanges): string {
    const cseq = `${Number.parseInt(headerOf(request, 'CSeq'), 10) + 1} ${request.method}`
    const kept = request.headers.filter(([name]) => !/^(via|content-length|content-type)$/i.test(name))
    const type = headerOf(request, 'Content-Type')
    return this.#leave(request.method, request.requestUri, changeHeaders(kept, { CSeq: cseq, ...changes }), {
      body: request.body,
      to: request.to,
      ...(type !== '' && { contentType: type }),
    })
  }

  protected respond(what: string | number, options: SendOptions): string {
    const request = options.request ?? this.inbox.findLast((one) => one.isRequest && isOpen(one))
    if (request === undefined) throw new LadderMismatch(`${this.name} has no request to answer`)
    const { code, reason } = parseStatus(what)
    if (request.localTag === '') request.localTag = this.surroundings.random.hex(4)
    if (code >= 200) request.isAnswered = true
    const { body = '' } = options
    const lines: HeaderLines = [
      ...responseHeaders(request, code),
      ...(code > 100 && code < 300 ? this.#contactFor(request.method) : []),
      ...(body === '' ? [] : [contentType(options)]),
      ['Content-Length', String(body.length)],
    ]
    const headers = changeHeaders(lines, options.headers ?? {})
    if (makesDialog(request.method, code)) {
      const { callId, toTag } = request.message
      const known = this.#dialogOf(callId, toTag)
      this.#dialog = known
        ? withTarget(known, request.header('Contact'))
        : dialogOfRequest(request, headers, this.#cseqOf(callId, 0))
    }
    const text = writeLines(`SIP/2.0 ${code} ${reason}`, headers, body)
    this.transmit(text, options.to ?? answerEndpoint(request))
    return text
  }

  protected transmit(text: string, to: Endpoint): void {
    this.#lastText = text
    this.#lastTo = to
    this.#socket.send(text, to.address, to.port)
  }

  // Receiving.

  #onDatagram(text: string, source: Endpoint): void {
    if (/^[\0\r\n ]*$/.test(text)) return
    const identity = identityOf(text)
    const received = new Received(text, source, this.surroundings.clock.now(), this.#seen.has(identity))
    this.#seen.add(identity)
    if (received.isRequest) {
      const automatic = this.#automatic.get(received.method)
      if (automatic !== undefined) {
        this.respond(automatic, { request: received })
        return
      }
    } else {
      this.#onResponse(received)
    }
    this.inbox.push(received)
  }

  #onResponse(response: Received): void {
    const request = this.#sentByBranch.get(response.message.topmostVia?.branch ?? '')
    if (request === undefined || request.method !== response.method) return
    const { statusCode } = response
    if (statusCode === 401 || statusCode === 407) {
      const before = this.#lastChallenge
      const isNew = before === null || nonceOf(before) !== nonceOf(response)
      this.#lastChallenge = response
      this.#lastRequest = request
      if (isNew) this.#nonceCount = 0
    }
    if (request.method === 'INVITE' && statusCode >= 300 && this.acknowledges) {
      const headers = this.#sameHop(request, 'ACK', response.header('To'))
      this.#leave('ACK', request.requestUri, headers, { to: request.to }, request.branch)
    }
    if (makesDialog(request.method, statusCode) && response.message.toTag !== '') {
      const { callId } = response.message
      const known = this.#dialogOf(callId, /;tag=(.*)/i.exec(headerOf(request, 'To'))?.[1] ?? '')
      this.#dialog = known
        ? withTarget(known, response.header('Contact'))
        : dialogOfResponse(response, request.requestUri, this.#cseqOf(callId, this.#cseq))
    }
  }

  /** The dialog that a request with this To tag belongs to; null if it makes one. */
  #dialogOf(callId: string, toTag: string): Dialog | null {
    return toTag !== '' && this.#dialog?.callId === callId ? this.#dialog : null
  }

  /** The last CSeq number of a dialog that we know already. */
  #cseqOf(callId: string, otherwise: number): number {
    return this.#dialog?.callId === callId ? this.#dialog.cseq : otherwise
  }

  protected repeat(): void {
    this.transmit(this.#lastText, this.#lastTo)
  }

  /** The request that was challenged last, with credentials and the next CSeq. */
  protected authenticate(username: string, password: string): string {
    const challenge = this.#lastChallenge
    const request = this.#lastRequest
    if (challenge === null || request === null) throw new LadderMismatch(`${this.name} was not challenged`)
    const isProxy = challenge.statusCode === 407
    const value = challenge.header(isProxy ? 'Proxy-Authenticate' : 'WWW-Authenticate')
    this.#nonceCount++
    const { method, requestUri } = request
    const identity = { username, password }
    const answer = answerChallenge(readChallenge(value), identity, method, requestUri, this.#nonceCount)
    return this.#again(request, { [isProxy ? 'Proxy-Authorization' : 'Authorization']: answer })
  }
}

function isOpen(request: Received): boolean {
  return request.method !== 'ACK' && !request.isAnswered && !request.isRetransmission
}

/** RFC 3261 §18.2.2, RFC 3581 §4. */
function answerEndpoint({ source, message }: Received): Endpoint {
  const via = message.topmostVia
  return { address: source.address, port: via?.rport == null ? via?.port || 5060 : source.port }
}

function headerOf(request: SentRequest, name: string): string {
  return request.headers.find(([one]) => one.toLowerCase() === name.toLowerCase())?.[1] ?? ''
}

function contentType(options: SendOptions): readonly [string, string] {
  return ['Content-Type', options.contentType ?? 'text/plain']
}

function nonceOf(challenge: Received): string {
  return readChallenge(challenge.header('WWW-Authenticate') || challenge.header('Proxy-Authenticate')).nonce
}
