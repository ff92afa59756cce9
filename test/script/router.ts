import { compiler } from '../../grammar/compile.ts'
import { createProxy } from '../../src/proxy/core.ts'
import { createMetrics } from '../../src/runtime/metrics.ts'
import { createEngine, type Engine, type EngineServices, loadScript } from '../../src/script/engine.ts'
import { isFault, scanMessage } from '../../src/sip/scan.ts'
import { memoryStore } from '../../src/store/memory.ts'
import { privateRegions } from '../../src/store/region.ts'
import { simulatedClock } from '../../src/testing/clock.ts'
import { collectingLog } from '../../src/testing/log.ts'
import { seededRandom } from '../../src/testing/random.ts'
import { createTransactionLayer } from '../../src/transaction/layer.ts'
import type { Flow, ListenSocket } from '../../src/transport/socket.ts'
import { createSocketTable } from '../../src/transport/sockets.ts'

/** A script with everything below it but the network: datagrams go in by `receive`, and what leaves is in `sent`. */
export interface TestRouter {
  readonly engine: Engine
  readonly sent: Sent[]
  readonly log: ReturnType<typeof collectingLog>
  readonly clock: ReturnType<typeof simulatedClock>
  readonly services: EngineServices
  /** Lines of the log with their level, `error: text`, without those of the trace. */
  lines(): string[]
  receive(text: string, from?: { address?: string; port?: number }): void
  /** As receive(), and lets promises settle. */
  handle(text: string, from?: { address?: string; port?: number }): Promise<void>
  /** Lets promises settle, then lets so much time pass. */
  pass(milliseconds: number): Promise<void>
}

export interface Sent {
  readonly text: string
  readonly address: string
  readonly port: number
  readonly firstLine: string
}

const sockets: ListenSocket[] = [udp(0, '192.0.2.1', 5060, 'outside'), udp(1, '10.0.0.1', 5080, 'inside')]

export async function startRouter(
  script: string,
  options: { path?: string; environment?: (name: string) => string | null } = {},
): Promise<TestRouter> {
  const { loaded, diagnostics } = await loadScript({
    path: options.path ?? 'test.cfg',
    text: script,
    compiler,
    ...(options.environment && { environment: options.environment }),
  })
  if (!loaded) {
    throw new Error(
      diagnostics.map(({ code, message, span }) => `${span?.line} ${code} ${message}`).join('\n'),
    )
  }
  const clock = simulatedClock()
  const random = seededRandom(1)
  const log = collectingLog()
  const metrics = createMetrics()
  const sent: Sent[] = []
  const send = (_socket: ListenSocket, text: string, address: string, port: number) => {
    sent.push({ text, address, port, firstLine: text.slice(0, text.indexOf('\r\n')) })
  }
  const table = createSocketTable(sockets)
  const transactions = createTransactionLayer({ clock, random, log, metrics, send })
  const resolve = async () => []
  const proxy = createProxy({ transactions, sockets: table, send, clock, random, log, metrics, resolve })
  const services: EngineServices = {
    clock,
    random,
    log,
    metrics,
    sockets: table,
    proxy,
    transactions,
    openTable: memoryStore().open,
    openRegion: privateRegions(),
    openDatabase: () => {
      throw new Error('no database in this test')
    },
    sendRaw: send,
  }
  const engine = await createEngine(loaded, services)
  proxy.handlers = engine.handlers
  await engine.start()

  const receive: TestRouter['receive'] = (text, from = {}) => {
    const message = scanMessage(text)
    if (isFault(message)) throw new Error(`not a message: ${message.reason}`)
    const flow: Flow = {
      socket: sockets[0] as ListenSocket,
      address: from.address ?? '198.51.100.7',
      port: from.port ?? 5062,
    }
    if (!engine.onArrival(message, flow)) return
    if (!message.isRequest) engine.onReply(message, flow)
    else if (transactions.receiveRequest(message, flow).kind === 'new') engine.onRequest(message, flow)
  }
  return {
    engine,
    sent,
    log,
    clock,
    services,
    lines: () =>
      log.lines
        .filter(({ level }) => level !== 'debug' && level !== 'trace')
        .map(({ level, message }) => `${level}: ${message}`),
    receive,
    async handle(text, from) {
      receive(text, from)
      await clock.settle()
    },
    async pass(milliseconds) {
      await clock.advance(milliseconds)
    },
  }
}

function udp(index: number, address: string, port: number, name: string): ListenSocket {
  return {
    index,
    name,
    transport: 'udp',
    address,
    port,
    family: 4,
    advertisedAddress: address,
    advertisedPort: port,
    label: `udp:${address}:${port}`,
  }
}

let calls = 0

export interface RequestParts {
  readonly method?: string
  readonly uri?: string
  readonly from?: string
  readonly to?: string
  readonly via?: string
  readonly callId?: string
  readonly cseq?: string
  /** Complete lines, each with CRLF. */
  readonly headers?: string
  readonly body?: string
}

export function request(parts: RequestParts = {}): string {
  calls += 1
  const method = parts.method ?? 'MESSAGE'
  const body = parts.body ?? ''
  return (
    `${method} ${parts.uri ?? 'sip:bob@example.com'} SIP/2.0\r\n` +
    `Via: ${parts.via ?? `SIP/2.0/UDP 198.51.100.7:5062;branch=z9hG4bK${calls};rport`}\r\n` +
    'Max-Forwards: 70\r\n' +
    `From: ${parts.from ?? '<sip:alice@example.org>;tag=a1'}\r\n` +
    `To: ${parts.to ?? '<sip:bob@example.com>'}\r\n` +
    `Call-ID: ${parts.callId ?? `call-${calls}`}\r\n` +
    `CSeq: ${parts.cseq ?? `1 ${method}`}\r\n` +
    `${parts.headers ?? ''}Content-Length: ${body.length}\r\n\r\n${body}`
  )
}

/** The answer of who got `sent`. */
export function answer(sent: Sent, statusCode: number, reason: string, headers = ''): string {
  const lines = sent.text.slice(0, sent.text.indexOf('\r\n\r\n')).split('\r\n')
  const kept = lines.filter((line) => /^(Via|From|To|Call-ID|CSeq):/i.test(line))
  return `SIP/2.0 ${statusCode} ${reason}\r\n${kept.join('\r\n')}\r\n${headers}Content-Length: 0\r\n\r\n`
}
