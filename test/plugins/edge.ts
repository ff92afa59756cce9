import type {
  AuthenticatedUser,
  BranchEnd,
  Flow,
  ListenSocket,
  OwnRequest,
  PluginDefinition,
  PluginHost,
  RouteContext,
  SharedLocationsOptions,
  SipMessage,
  Table,
} from '../../src/plugin/index.ts'
import { createTarget } from '../../src/proxy/target.ts'
import type { OpenRedis } from '../../src/redis/redis-links.ts'
import { createMetrics } from '../../src/runtime/metrics.ts'
import { ScriptScope } from '../../src/script/scope.ts'
import { createEditList } from '../../src/sip/edit.ts'
import { isFault, scanMessage } from '../../src/sip/scan.ts'
import { parseUri } from '../../src/sip/uri.ts'
import { writeMessage } from '../../src/sip/write.ts'
import { memoryTable } from '../../src/store/memory.ts'
import { privateRegions } from '../../src/store/region.ts'
import { type SimulatedClock, simulatedClock } from '../../src/testing/clock.ts'
import { collectingLog } from '../../src/testing/log.ts'
import { seededRandom } from '../../src/testing/random.ts'
import type { SharedDirectory } from '../../src/testing/shared-location.ts'
import { oneWorker } from '../../src/worker/workers.ts'

/**
 * An edge router without a script: the location plugins set up on one simulated clock, with packets, branch ends
 * and send errors handed in by the test. Functions are called as a script would call them.
 */
export interface SentReply {
  readonly statusCode: number
  readonly reason: string
  readonly headers: string
}

export type EdgeContext = RouteContext & {
  readonly replies: SentReply[]
  readonly explanations: string[]
  readonly scope: ScriptScope & { authenticated: AuthenticatedUser | null }
  written(): string
}

export type Edge = ReturnType<typeof createEdge>

export const router = udpSocket(0, '50.170.158.149', 5060)

export function createEdge(
  options: {
    tables?: Map<string, Table<unknown>>
    sockets?: ListenSocket[]
    clock?: SimulatedClock
    /** What it shares with others, if usrloc's `store` is set. */
    directory?: SharedDirectory
    openRedis?: OpenRedis
    seed?: number
  } = {},
) {
  const clock = options.clock ?? simulatedClock()
  const log = collectingLog()
  const metrics = createMetrics()
  const random = seededRandom(options.seed ?? 7)
  const tables = options.tables ?? new Map<string, Table<unknown>>()
  const sockets = options.sockets ?? [router]
  const exported = new Map<string, unknown>()
  const functions = new Map<string, (context: RouteContext, ...args: unknown[]) => number>()
  const variables = new Map<string, { read(context: RouteContext, inner: unknown, index: null): unknown }>()
  const definitions = new Map<string, PluginDefinition>()
  const commands = new Map<string, (params: readonly unknown[]) => unknown>()
  const starts: (() => void | Promise<void>)[] = []
  const arrivals: ((message: SipMessage | null, flow: Flow) => void)[] = []
  const errors: ((flow: Flow, code: string) => void)[] = []
  const branchEnds: ((end: BranchEnd) => void)[] = []
  const requests: OwnRequest[] = []
  const raw: { text: string; address: string; port: number }[] = []
  const events: { name: string; notes: Map<string, unknown> }[] = []

  const host = {
    clock,
    random,
    log,
    metrics,
    sockets: {
      sockets,
      isMyself: (name: string) => sockets.some(({ address }) => address === name) || name === 'edge.example',
      addAlias() {},
      addCheck() {},
      find: (label: string) => sockets.find((socket) => socket.label === label) ?? null,
      chooseFor: () => sockets[0] ?? null,
    },
    proxy: {
      onBranchEnd: (listener: (end: BranchEnd) => void) => void branchEnds.push(listener),
      sendRequest: (request: OwnRequest) => void requests.push(request),
    },
    script: {
      hasRoute: () => true,
      runEvent(name: string, _message: unknown, _flow: unknown, prepare?: (context: RouteContext) => void) {
        const notes = new Map<string, unknown>()
        prepare?.({ scope: { notes } } as unknown as RouteContext)
        events.push({ name, notes })
        return 1
      },
    },
    openTable(name: string) {
      const table = tables.get(name) ?? memoryTable<unknown>()
      tables.set(name, table)
      return table
    },
    openRegion: privateRegions(),
    openRedis: options.openRedis,
    workers: oneWorker,
    openSharedLocations: (_url: string, settings: SharedLocationsOptions) =>
      options.directory?.join(settings),
    resolvePath: (path: string) => path,
    exportsOf: (name: string) => exported.get(name),
    sendRaw: (_socket: ListenSocket, text: string, address: string, port: number) =>
      void raw.push({ text, address, port }),
    onArrival: (listener: (message: SipMessage | null, flow: Flow) => void) => void arrivals.push(listener),
    onRequest() {},
    knows() {},
    onSendError: (listener: (flow: Flow, code: string) => void) => void errors.push(listener),
    every(milliseconds: number, run: () => void) {
      const again = () => {
        run()
        clock.schedule(milliseconds, again)
      }
      clock.schedule(milliseconds, again)
    },
  } as unknown as PluginHost

  return {
    clock,
    log,
    metrics,
    tables,
    events,
    requests,
    raw,
    async load(plugin: unknown, values: Record<string, unknown> = {}) {
      const definition = plugin as PluginDefinition
      const params: Record<string, unknown> = {}
      for (const [name, { repeatable, default: value, type }] of Object.entries(definition.params ?? {})) {
        params[name] = values[name] ?? (repeatable ? [] : type === 'format' && value ? () => value : value)
      }
      const instance = await definition.setup?.(host, params as never)
      exported.set(definition.name, instance?.exports)
      definitions.set(definition.name, definition)
      for (const [name, run] of Object.entries(instance?.functions ?? {})) functions.set(name, run as never)
      for (const [name, access] of Object.entries(instance?.variables ?? {}))
        variables.set(name, access as never)
      for (const [name, run] of Object.entries(instance?.rpc ?? {})) commands.set(name, run)
      if (instance?.start) starts.push(instance.start)
      return instance
    },
    async start() {
      for (const start of starts) await start()
    },
    exportsOf: <T>(name: string) => exported.get(name) as T,
    /** A packet arrives: listeners hear of it, and the context stands ready for functions. */
    receives(text: string, from: Partial<Flow> = {}): EdgeContext {
      const context = contextOf(text, {
        socket: sockets[0] ?? router,
        address: '198.51.100.7',
        port: 5060,
        ...from,
      })
      for (const listener of arrivals) listener(context.message, context.flow)
      return context
    },
    keepalive(from: Partial<Flow>) {
      const flow = { socket: sockets[0] ?? router, address: '198.51.100.7', port: 5060, ...from }
      for (const listener of arrivals) listener(null, flow)
    },
    call(name: string, context: RouteContext, ...args: unknown[]): number {
      const run = functions.get(name)
      if (run === undefined) throw new Error(`no function ${name}`)
      const declared = [...definitions.values()].flatMap(({ functions: own }) => own?.[name]?.args ?? [])
      const given = args.map((value, i) => {
        const prepare = declared[i]?.prepare
        return prepare !== undefined && value !== undefined ? prepare(value as string) : value
      })
      return run(context, ...given)
    },
    read(name: string, context: RouteContext, inner: string): unknown {
      const declared = [...definitions.values()].map(({ variables: own }) => own?.[name]).find(Boolean)
      return variables.get(name)?.read(context, declared?.prepare?.(inner) ?? inner, null)
    },
    rpc: (name: string, ...params: unknown[]) => commands.get(name)?.(params),
    branchEnds(end: Partial<BranchEnd>) {
      const whole: BranchEnd = {
        context: null,
        target: createTarget('sip:x@y'),
        method: 'MESSAGE',
        statusCode: 200,
        cause: 'response',
        responseFlow: null,
        flow: null,
        ...end,
      }
      for (const listener of branchEnds) listener(whole)
    },
    sendFails(flow: Flow, code: string) {
      for (const listener of errors) listener(flow, code)
    },
    count: (name: string, ...labels: string[]) => metrics.counter(name, '').value(...labels),
  }
}

function contextOf(text: string, flow: Flow): EdgeContext {
  const message = scanMessage(text)
  if (isFault(message)) throw new Error(`${message.code}: ${message.reason}`)
  const replies: SentReply[] = []
  const explanations: string[] = []
  const context = {
    kind: 'request',
    route: '',
    message,
    flow,
    edits: createEditList(),
    scope: new ScriptScope(undefined as never),
    transaction: null,
    target: createTarget(message.requestUri),
    branches: [],
    requestUri: parseUri(message.requestUri),
    requestUriChanged: false,
    branch: null,
    replyStatus: null,
    replyHeaders: '',
    forceRport: false,
    scriptFlags: 0,
    isReplied: false,
    replies,
    explanations,
    reply(statusCode: number, reason: string, options: { headers?: string } = {}) {
      if (context.isReplied) return -1
      context.isReplied = statusCode >= 200
      replies.push({ statusCode, reason, headers: options.headers ?? '' })
      return 1
    },
    replyLater(
      ready: Promise<{ statusCode: number; reason: string; headers?: string } | null>,
      statusCode: number,
      reason: string,
      options: { headers?: string } = {},
    ) {
      if (context.isReplied) return -1
      context.isReplied = true
      void ready.then((other) => {
        replies.push({ headers: '', ...options, ...(other ?? { statusCode, reason }) })
      })
      return 1
    },
    applyEdits: () => true,
    explain: (what: string, why: string) => void explanations.push(`${what}: ${why}`),
    logFields: () => ({ callId: message.callId }),
    written: () => writeMessage(message, context.edits),
  }
  return context as unknown as EdgeContext
}

export function udpSocket(index: number, address: string, port: number): ListenSocket {
  return {
    index,
    name: null,
    transport: 'udp',
    address,
    port,
    family: 4,
    advertisedAddress: address,
    advertisedPort: port,
    label: `udp:${address}:${port}`,
  }
}

let branches = 0

export interface RequestParts {
  uri?: string
  from?: string
  to?: string
  callId?: string
  cseq?: number
  lines?: readonly string[]
  body?: string
}

/** A whole request; each one is a transaction of its own. */
export function requestText(method: string, parts: RequestParts = {}): string {
  const { uri = 'sip:50.170.158.149', body = '', cseq = 1, callId = 'call' } = parts
  const from = parts.from ?? 'sip:1000@50.170.158.149'
  const to = parts.to ?? from
  return [
    `${method} ${uri} SIP/2.0`,
    `Via: SIP/2.0/UDP 10.92.240.131:5060;branch=z9hG4bK${branches++}`,
    `From: <${from}>;tag=7a82c48a`,
    `To: <${to}>`,
    `Call-ID: ${callId}`,
    `CSeq: ${cseq} ${method}`,
    ...(parts.lines ?? []),
    `Content-Length: ${body.length}`,
    '',
    body,
  ].join('\r\n')
}
