import { createProxy } from '../../src/proxy/core.ts'
import type { BranchEnd, ProxyCore, ResponseContext } from '../../src/proxy/proxy.ts'
import { createTarget, type Target } from '../../src/proxy/target.ts'
import { createMetrics } from '../../src/runtime/metrics.ts'
import { createEditList } from '../../src/sip/edit.ts'
import type { SipMessage } from '../../src/sip/message.ts'
import { isFault, scanMessage } from '../../src/sip/scan.ts'
import { simulatedClock } from '../../src/testing/clock.ts'
import { collectingLog } from '../../src/testing/log.ts'
import { seededRandom } from '../../src/testing/random.ts'
import { createTransactionLayer } from '../../src/transaction/layer.ts'
import type { Flow } from '../../src/transport/socket.ts'
import { createListenSocket, createSocketTable } from '../../src/transport/sockets.ts'

/** The proxy core over the real transaction layer, a clock that the test moves, and a wire that only records. */
export interface Sent {
  readonly text: string
  readonly message: SipMessage
  readonly to: string
  readonly socket: number
}

export interface StandOptions {
  sockets?: { address: string; port: number }[]
  resolve?: (host: string, port: number) => Promise<{ address: string; port: number }[]>
  transactionsMax?: number
  identifyBy?: (key: Uint8Array) => void
}

export const caller = '192.0.2.10:5070'

export class Stand {
  readonly clock = simulatedClock()
  readonly log = collectingLog()
  readonly sent: Sent[] = []
  readonly ends: BranchEnd[] = []
  readonly sockets
  readonly transactions
  readonly proxy: ProxyCore
  /** What the script does with a new request. */
  script: (request: SipMessage, flow: Flow) => void = () => {}

  constructor(options: StandOptions = {}) {
    const requested = options.sockets ?? [{ address: '192.0.2.1', port: 5060 }]
    const sockets = requested.map((one, i) => createListenSocket({ transport: 'udp', ...one }, i))
    this.sockets = createSocketTable(sockets)
    const random = seededRandom()
    const metrics = createMetrics()
    const send = (socket: { index: number }, text: string, address: string, port: number) => {
      this.sent.push({ text, message: scan(text), to: `${address}:${port}`, socket: socket.index })
    }
    const common = { clock: this.clock, random, log: this.log, metrics, send }
    const { transactionsMax } = options
    this.transactions = createTransactionLayer({ ...common, ...(transactionsMax && { transactionsMax }) })
    this.proxy = createProxy({
      ...common,
      transactions: this.transactions,
      sockets: this.sockets,
      resolve: options.resolve ?? (async () => []),
      branchKey: 'secret',
      ...(options.identifyBy && { identifyBy: options.identifyBy }),
    })
    this.proxy.onBranchEnd((end) => this.ends.push(end))
  }

  flow(from = caller, socket = 0): Flow {
    const [address = '', port = ''] = from.split(':')
    const local = this.sockets.sockets[socket]
    if (!local) throw new Error('no such socket')
    return { socket: local, address, port: Number(port) }
  }

  /** A datagram arrives, as in src/intake.ts. */
  receive(text: string, from = caller, socket = 0): void {
    const message = scan(text)
    const flow = this.flow(from, socket)
    if (!message.isRequest) {
      if (!this.transactions.receiveResponse(message, flow))
        this.proxy.stateless.forwardResponse(message, null)
      return
    }
    if (this.transactions.receiveRequest(message, flow).kind !== 'new') return
    if (message.method === 'ACK' && this.proxy.stateless.isAckToReply(message)) return
    this.script(message, flow)
  }

  /** A script that relays to these URIs, after `prepare`; the context is returned once a request came. */
  relayTo(
    uris: readonly (string | Target)[],
    prepare?: (context: ResponseContext) => void,
  ): { context: ResponseContext | null; result: number } {
    const state: { context: ResponseContext | null; result: number } = { context: null, result: 0 }
    this.script = (request, flow) => {
      const context = this.proxy.createContext(request, flow, {})
      if (context === null) return
      if (request.method === 'INVITE' || state.context === null) state.context = context
      prepare?.(context)
      state.result = context.relay(uris.map(targetOf), request, createEditList())
      context.finishScript()
    }
    return state
  }

  /** What was sent since the last call, as `INVITE 192.0.2.20:5060` or `180 192.0.2.10:5070`. */
  take(): string[] {
    return this.sent
      .splice(0)
      .map(({ message, to }) => `${message.isRequest ? message.method : message.statusCode} ${to}`)
  }

  /** The last request that went there. */
  lastTo(to: string, method = 'INVITE'): Sent {
    const found = this.sent.findLast(
      (one) => one.to === to && one.message.isRequest && one.message.method === method,
    )
    if (!found) throw new Error(`no ${method} went to ${to}: ${this.take().join(', ')}`)
    return found
  }
}

export function targetOf(uri: string | Target): Target {
  return typeof uri === 'string' ? createTarget(uri) : uri
}

export function scan(text: string): SipMessage {
  const message = scanMessage(text)
  if (isFault(message)) throw new Error(`${message.code}: ${message.reason} in ${text}`)
  return message
}

export interface RequestParts {
  method?: string
  uri?: string
  branch?: string
  via?: string
  toTag?: string
  callId?: string
  /** null for none. */
  maxForwards?: string | null
  headers?: string[]
  body?: string
}

export function request(parts: RequestParts = {}): string {
  const method = parts.method ?? 'INVITE'
  const body = parts.body ?? ''
  return [
    `${method} ${parts.uri ?? 'sip:bob@example.com'} SIP/2.0`,
    parts.via ?? `Via: SIP/2.0/UDP 192.0.2.10:5070;branch=${parts.branch ?? 'z9hG4bKcaller'}`,
    'From: <sip:alice@example.com>;tag=ft',
    `To: <sip:bob@example.com>${parts.toTag ? `;tag=${parts.toTag}` : ''}`,
    `Call-ID: ${parts.callId ?? 'call-1'}`,
    `CSeq: 1 ${method}`,
    ...(parts.maxForwards === null ? [] : [`Max-Forwards: ${parts.maxForwards ?? '70'}`]),
    ...(parts.headers ?? []),
    `Content-Length: ${body.length}`,
    '',
    body,
  ].join('\r\n')
}

/** An answer to a request that we sent. */
export function answer(sent: Sent | string, status: number, headers: string[] = [], tag = 'uas'): string {
  const text = typeof sent === 'string' ? sent : sent.text
  const lines = text.split('\r\n\r\n')[0]?.split('\r\n') ?? []
  const copied = lines.filter((line) => /^(via|record-route|from|call-id|cseq):/i.test(line))
  const to = lines.find((line) => line.startsWith('To:')) ?? ''
  const tagged = to.includes('tag=') || status === 100 ? to : `${to};tag=${tag}`
  return [
    `SIP/2.0 ${status} Code ${status}`,
    ...copied,
    tagged,
    ...headers,
    'Content-Length: 0',
    '',
    '',
  ].join('\r\n')
}
