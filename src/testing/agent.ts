import type { Random } from '../runtime/random.ts'
import { HeaderId } from '../sip/header-id.ts'
import { splitValues } from '../sip/headers/name-addr.ts'
import {
  changeHeaders,
  type HeaderChanges,
  type HeaderLines,
  parseStatus,
  responseHeaders,
  uriIn,
  writeLines,
} from './agent-message.ts'
import type { SimulatedClock } from './clock.ts'
import { answerChallenge, readChallenge } from './digest.ts'
import type { Endpoint } from './nat.ts'
import type { SimulatedHost, SimulatedSocket } from './network.ts'
import { identityOf, Received } from './received.ts'

/**
 * A scripted SIP endpoint: it sends what a test says and says what came. It fills in what no test wants to write
 * (Via, tags, Call-ID, CSeq, Contact, Route), answers digest challenges when told to, acknowledges failures of its
 * INVITEs by itself as a transaction layer would, and ignores 100s, ACKs and retransmissions unless they are asked for.
 * Waiting moves the simulated clock.
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

export interface ReceiveOptions {
  /** Milliseconds of the simulated clock to wait at most. Default 2000. */
  readonly within?: number
  /** True: a retransmission is what we wait for. */
  readonly again?: boolean
  /** Of a response: the method in CSeq. */
  readonly method?: string
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

/** A ladder that does not come out as written. */
export class LadderMismatch extends Error {
  override readonly name = 'LadderMismatch'
}

interface SentRequest {
  readonly method: string
  readonly requestUri: string
  readonly headers: HeaderLines
  readonly body: string
  readonly branch: string
  readonly to: Endpoint
}

/** RFC 3261 §12: what requests inside a dialog need. */
interface Dialog {
  readonly callId: string
  readonly local: string
  readonly remote: string
  readonly target: string
  readonly routes: readonly string[]
  cseq: number
}

const receiveWithinMs = 2_000

export class Agent {
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
  readonly #surroundings: AgentSurroundings
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
    this.#surroundings = surroundings
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

  /**
   * A request (`'MESSAGE sip:bob@example.com'`; `'BYE'`, `'ACK'`, `'CANCEL'` without a URI for the last dialog or
   * INVITE) or a response (`200`, `'180 Ringing'`). Returns the octets that left.
   */
  async sends(what: string | number, options: SendOptions = {}): Promise<string> {
    this.#surroundings.step(`${this.name} sends ${what}`)
    const text = /^\d{3}\b/.test(String(what))
      ? this.#respond(what, options)
      : this.#request(String(what), options)
    await this.#surroundings.clock.settle()
    return text
  }

  /** Octets as they are. */
  async sendsText(text: string, to: Endpoint = this.#surroundings.router): Promise<void> {
    this.#surroundings.step(`${this.name} sends text`)
    this.#transmit(text, to)
    await this.#surroundings.clock.settle()
  }

  /** The last datagram leaves again, octet by octet. */
  async repeats(): Promise<void> {
    this.#surroundings.step(`${this.name} repeats`)
    this.#transmit(this.#lastText, this.#lastTo)
    await this.#surroundings.clock.settle()
  }

  /** The request that was challenged last leaves again, with credentials and the next CSeq. */
  async authenticates(user: { username?: string; password?: string } = {}): Promise<string> {
    this.#surroundings.step(`${this.name} authenticates`)
    const challenge = this.#lastChallenge
    const request = this.#lastRequest
    if (challenge === null || request === null) throw new LadderMismatch(`${this.name} was not challenged`)
    const isProxy = challenge.statusCode === 407
    const value = challenge.header(isProxy ? 'Proxy-Authenticate' : 'WWW-Authenticate')
    const identity = { username: user.username ?? this.user, password: user.password ?? this.password }
    this.#nonceCount++
    const nonceCount = this.#nonceCount
    const answer = answerChallenge(
      readChallenge(value),
      identity,
      request.method,
      request.requestUri,
      nonceCount,
    )
    const text = this.#again(request, { [isProxy ? 'Proxy-Authorization' : 'Authorization']: answer })
    await this.#surroundings.clock.settle()
    return text
  }

  /** REGISTER, with an answer to the challenge if one comes. Returns the 200. */
  async registers(options: SendOptions & { expires?: number } = {}): Promise<Received> {
    const expires = options.expires === undefined ? {} : { Expires: String(options.expires) }
    await this.sends(`REGISTER sip:${this.domain}`, {
      ...options,
      headers: { ...expires, ...options.headers },
    })
    const first = await this.#nextResponse()
    if (first.statusCode !== 401) return this.#expectOk(first)
    await this.authenticates()
    return this.#expectOk(await this.#nextResponse())
  }

  /**
   * Waits for the next message and says if it is this one: `'INVITE'`, `'INVITE sip:bob@192.0.2.12'`, `200`,
   * `'486 Busy Here'`, `'4xx'`. Throws LadderMismatch if another one comes, or none.
   */
  async receives(what: string | number, options: ReceiveOptions = {}): Promise<Received> {
    this.#surroundings.step(`${this.name} receives ${what}${options.again ? ' again' : ''}`)
    const wanted = String(what)
    const isWelcome = (received: Received) => !isIgnored(received, wanted, options)
    const next = await this.#wait(isWelcome, options.within ?? receiveWithinMs)
    if (next === null) throw new LadderMismatch(`${this.name} should receive ${what}, and nothing came`)
    next.isExpected = true
    if (!isWhat(next, wanted, options)) {
      throw new LadderMismatch(`${this.name} should receive ${what}, and got ${describe(next)}`)
    }
    return next
  }

  /** Nothing comes for so many milliseconds; 100s and retransmissions do not count. */
  async receivesNothing(within = 1_000): Promise<void> {
    this.#surroundings.step(`${this.name} receives nothing`)
    const next = await this.#wait((received) => !isIgnored(received, '', {}), within)
    if (next !== null)
      throw new LadderMismatch(`${this.name} should receive nothing, and got ${describe(next)}`)
  }

  /** From now on requests of that method are answered at once and never seen by `receives`; 0 stops it. */
  answers(method: string, statusCode: number): void {
    if (statusCode === 0) this.#automatic.delete(method)
    else this.#automatic.set(method, statusCode)
  }

  /** Messages that came and that nobody expected; 100s and retransmissions left out. */
  get unexpected(): Received[] {
    return this.inbox.filter((received) => !received.isExpected && !isIgnored(received, '', {}))
  }

  get #hostPort(): string {
    const { address } = this.host
    return `${address.includes(':') ? `[${address}]` : address}:${this.port}`
  }

  // Sending.

  #request(what: string, options: SendOptions): string {
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
    const { random } = this.#surroundings
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
      ['Via', this.#via(branch ?? `z9hG4bK${this.#surroundings.random.hex(8)}`)],
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
      to: options.to ?? this.#surroundings.router,
    }
    if (method !== 'ACK' && method !== 'CANCEL') this.#remember(request)
    const text = writeLines(`${method} ${requestUri} SIP/2.0`, changed, body)
    this.#transmit(text, request.to)
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

  #respond(what: string | number, options: SendOptions): string {
    const request = options.request ?? this.inbox.findLast((one) => one.isRequest && isOpen(one))
    if (request === undefined) throw new LadderMismatch(`${this.name} has no request to answer`)
    const { code, reason } = parseStatus(what)
    if (request.localTag === '') request.localTag = this.#surroundings.random.hex(4)
    if (code >= 200) request.isAnswered = true
    const { body = '' } = options
    const lines: HeaderLines = [
      ...responseHeaders(request, code),
      ...(code > 100 && code < 300 ? this.#contactFor(request.method) : []),
      ...(body === '' ? [] : [contentType(options)]),
      ['Content-Length', String(body.length)],
    ]
    const headers = changeHeaders(lines, options.headers ?? {})
    if (code > 100 && code < 300) this.#dialogAsServer(request, headers)
    const text = writeLines(`SIP/2.0 ${code} ${reason}`, headers, body)
    this.#transmit(text, options.to ?? answerEndpoint(request))
    return text
  }

  #transmit(text: string, to: Endpoint): void {
    this.#lastText = text
    this.#lastTo = to
    this.#socket.send(text, to.address, to.port)
  }

  // Receiving.

  #onDatagram(text: string, source: Endpoint): void {
    if (/^[\0\r\n ]*$/.test(text)) return
    const identity = identityOf(text)
    const received = new Received(text, source, this.#surroundings.clock.now(), this.#seen.has(identity))
    this.#seen.add(identity)
    if (received.isRequest) {
      const automatic = this.#automatic.get(received.method)
      if (automatic !== undefined) {
        this.#respond(automatic, { request: received })
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
    const makesDialog = request.method === 'INVITE' || request.method === 'SUBSCRIBE'
    if (makesDialog && statusCode > 100 && statusCode < 300 && response.message.toTag !== '') {
      this.#dialogAsClient(request, response)
    }
  }

  /** RFC 3261 §12.1.2: the route set is Record-Route, turned around. */
  #dialogAsClient(request: SentRequest, response: Received): void {
    this.#dialog = {
      callId: response.message.callId,
      local: headerOf(request, 'From'),
      remote: response.header('To'),
      target: uriIn(response.header('Contact') || request.requestUri),
      routes: response.headers('Record-Route').flatMap(splitValues).reverse(),
      cseq: this.#dialog?.callId === response.message.callId ? this.#dialog.cseq : this.#cseq,
    }
  }

  /** RFC 3261 §12.1.1: the route set is Record-Route as it came. */
  #dialogAsServer(request: Received, headers: HeaderLines): void {
    const { method, message } = request
    if (method !== 'INVITE' && method !== 'SUBSCRIBE') return
    this.#dialog = {
      callId: message.callId,
      local: headers.find(([name]) => name === 'To')?.[1] ?? '',
      remote: message.value(HeaderId.from),
      target: uriIn(request.header('Contact')),
      routes: request.headers('Record-Route').flatMap(splitValues),
      cseq: this.#dialog?.callId === message.callId ? this.#dialog.cseq : 0,
    }
  }

  async #nextResponse(): Promise<Received> {
    const next = await this.#wait((received) => !isIgnored(received, '', {}), receiveWithinMs)
    if (next === null) throw new LadderMismatch(`${this.name} should receive a response, and nothing came`)
    next.isExpected = true
    return next
  }

  #expectOk(response: Received): Received {
    this.#surroundings.step(`${this.name} receives 200`)
    if (response.statusCode === 200) return response
    throw new LadderMismatch(`${this.name} should be registered, and got ${describe(response)}`)
  }

  /** The first message that nobody has taken yet and that is welcome; null if none comes in time. */
  async #wait(isWelcome: (received: Received) => boolean, withinMs: number): Promise<Received | null> {
    const { clock } = this.#surroundings
    const end = clock.now() + withinMs
    const find = () => this.inbox.find((received) => !received.isExpected && isWelcome(received)) ?? null
    for (;;) {
      // Work that Node.js itself does meanwhile (files, crypto) gets a turn before time moves on.
      for (let turn = 0; turn < 3; turn++) await clock.settle()
      const next = find()
      if (next !== null) return next
      const step = clock.untilNext()
      if (clock.now() + step > end) {
        await clock.advance(end - clock.now())
        return find()
      }
      await clock.advance(step)
    }
  }
}

function isIgnored(received: Received, wanted: string, options: ReceiveOptions): boolean {
  if (received.isRetransmission !== (options.again ?? false)) return true
  if (received.statusCode === 100) return !/^1(00|xx)/.test(wanted)
  return received.method === 'ACK' && received.isRequest && !wanted.startsWith('ACK')
}

function isWhat(received: Received, wanted: string, { method }: ReceiveOptions): boolean {
  if (method !== undefined && received.method !== method) return false
  if (received.isRequest)
    return wanted === received.method || wanted === `${received.method} ${received.requestUri}`
  const status = String(received.statusCode)
  return wanted === status || wanted === `${status} ${received.reasonPhrase}` || wanted === `${status[0]}xx`
}

function describe(received: Received): string {
  return received.isRequest ? received.startLine : `${received.startLine} (${received.method})`
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
