import { createOpenDatabase } from '../../src/database/index.ts'
import type {
  AuthenticatedUser,
  Flow,
  ListenSocket,
  PluginDefinition,
  PluginHost,
  ReplyOptions,
  RouteContext,
} from '../../src/plugin/index.ts'
import { createTarget } from '../../src/proxy/target.ts'
import type { OpenRedis } from '../../src/redis/redis-links.ts'
import { createMetrics } from '../../src/runtime/metrics.ts'
import { ScriptScope } from '../../src/script/scope.ts'
import { createEditList } from '../../src/sip/edit.ts'
import { isFault, scanMessage } from '../../src/sip/scan.ts'
import { parseUri } from '../../src/sip/uri.ts'
import { writeMessage } from '../../src/sip/write.ts'
import { memoryStore } from '../../src/store/memory.ts'
import { type OpenRegion, privateRegions } from '../../src/store/region.ts'
import { type SimulatedClock, simulatedClock } from '../../src/testing/clock.ts'
import { collectingLog } from '../../src/testing/log.ts'
import { seededRandom } from '../../src/testing/random.ts'
import { oneWorker, type Workers } from '../../src/worker/workers.ts'

/**
 * A plugin on a bench: set up as a script would, its functions called one by one on messages that stand in the
 * test. What needs a running router is tested by ladders; this is for codes, headers, and states.
 */
export interface Reply {
  readonly statusCode: number
  readonly reason: string
  readonly headers: string
}

export interface BenchContext extends RouteContext {
  readonly replies: readonly Reply[]
  readonly explanations: readonly string[]
  readonly scope: ScriptScope & { authenticated: AuthenticatedUser | null }
  /** The message as it would leave now. */
  written(): string
}

type Call = (context: RouteContext, ...args: unknown[]) => number

export interface Bench {
  call(name: string, context: RouteContext, ...args: unknown[]): number
  read(variable: string, context: RouteContext, inner?: string): unknown
  write(variable: string, context: RouteContext, inner: string, value: string | number | null): boolean
  rpc(name: string, ...params: unknown[]): unknown
  readonly exports: unknown
  /** Every interval that the plugin asked for has passed once. */
  tick(): void
  start(): Promise<void>
  close(): Promise<void>
}

export function createStand(
  options: {
    seed?: number
    directory?: string
    clock?: SimulatedClock
    openRedis?: OpenRedis
    workers?: Workers
    openRegion?: OpenRegion
  } = {},
) {
  const clock = options.clock ?? simulatedClock()
  const random = seededRandom(options.seed ?? 1)
  const log = collectingLog()
  const metrics = createMetrics()
  const store = memoryStore()
  const sockets = [udpSocket('192.0.2.1', 5060)]
  const exported = new Map<string, unknown>()
  const events: { name: string; context: BenchContext | null }[] = []
  const eventRoutes = new Map<string, (context: BenchContext) => void>()
  const aliases = new Set<string>()
  const resolvePath = (path: string) => (path.startsWith('/') ? path : `${options.directory ?? ''}/${path}`)
  const checks: ((host: string, port: number) => boolean)[] = []

  const context = (text: string, flow: Partial<Flow> = {}): BenchContext =>
    createContext(text, {
      socket: sockets[0] ?? udpSocket('192.0.2.1', 5060),
      address: '198.51.100.7',
      port: 5060,
      ...flow,
    })

  const hostFor = (everies: (() => void)[]): PluginHost =>
    ({
      clock,
      random,
      log,
      metrics,
      sockets: {
        sockets,
        isMyself: (host: string, port: number) =>
          host === '192.0.2.1' || aliases.has(host) || checks.some((check) => check(host, port)),
        addAlias: (host: string) => void aliases.add(host),
        addCheck: (check: (host: string, port: number) => boolean) => void checks.push(check),
      },
      script: {
        hasRoute: (_kind: string, name: string) => eventRoutes.has(name),
        runEvent(name: string, _message: unknown, _flow: unknown, prepare?: (context: RouteContext) => void) {
          const route = eventRoutes.get(name)
          if (route === undefined) return undefined
          const made = context(optionsRequest)
          prepare?.(made)
          events.push({ name, context: made })
          route(made)
          return 1
        },
      },
      openTable: store.open,
      openRegion: options.openRegion ?? privateRegions(),
      workers: options.workers ?? oneWorker,
      openDatabase: createOpenDatabase(resolvePath, log),
      openRedis: options.openRedis,
      resolvePath,
      customGlobals: new Map(),
      defines: new Map(),
      exportsOf: (name: string) => exported.get(name),
      every: (_milliseconds: number, run: () => void) => void everies.push(run),
      onArrival() {},
      onRequest() {},
      onSendError() {},
    }) as unknown as PluginHost

  return {
    host: hostFor([]),
    clock,
    random,
    log,
    metrics,
    events,
    aliases,
    eventRoutes,
    context,
    store,
    async load(plugin: unknown, values: Record<string, unknown> = {}): Promise<Bench> {
      const definition = plugin as PluginDefinition
      const everies: (() => void)[] = []
      const complete = defaultsOf(definition, values)
      const instance = await definition.setup?.(hostFor(everies), complete as never)
      if (instance === undefined) throw new Error(`${definition.name} has no setup`)
      exported.set(definition.name, instance.exports)
      return {
        exports: instance.exports,
        call: (name, run, ...args) =>
          (instance.functions as unknown as Record<string, Call>)[name]?.(
            run,
            ...prepared(definition, name, args),
          ) ?? Number.NaN,
        read(variable, run, inner) {
          const { prepare } = definition.variables?.[variable] ?? {}
          return instance.variables?.[variable]?.read(
            run,
            prepare && inner !== undefined ? prepare(inner) : (inner ?? null),
            null,
          )
        },
        write(variable, run, inner, value) {
          const { prepare } = definition.variables?.[variable] ?? {}
          return (
            instance.variables?.[variable]?.write?.(run, value, prepare ? prepare(inner) : inner, null) ??
            false
          )
        },
        rpc: (name, ...params) => instance.rpc?.[name]?.(params),
        tick: () => {
          for (const run of everies) run()
        },
        start: async () => instance.start?.(),
        close: async () => instance.close?.(),
      }
    },
  }
}

function defaultsOf(definition: PluginDefinition, values: Record<string, unknown>): Record<string, unknown> {
  const complete: Record<string, unknown> = {}
  for (const [name, declaration] of Object.entries(definition.params ?? {})) {
    complete[name] = values[name] ?? (declaration.repeatable ? [] : declaration.default)
  }
  for (const name of Object.keys(values)) {
    if (definition.params?.[name] === undefined)
      throw new Error(`${definition.name} has no parameter ${name}`)
  }
  return complete
}

function prepared(definition: PluginDefinition, name: string, args: readonly unknown[]): unknown[] {
  const declared = definition.functions?.[name]?.args ?? []
  return args.map((value, index) => {
    const prepare = declared[index]?.prepare
    return prepare && value !== undefined ? prepare(value as string) : value
  })
}

export function udpSocket(address: string, port: number): ListenSocket {
  return {
    index: 0,
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

const optionsRequest =
  'OPTIONS sip:you@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\n' +
  'To: <sip:a@b>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n'

function createContext(text: string, flow: Flow): BenchContext {
  const message = scanMessage(text)
  if (isFault(message)) throw new Error(`the test's message does not scan: ${message.reason}`)
  const replies: Reply[] = []
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
    get requestUri() {
      return parseUri(this.target.uri)
    },
    requestUriChanged: false,
    branch: null,
    replyStatus: null,
    replyHeaders: '',
    forceRport: false,
    scriptFlags: 0,
    isReplied: false,
    rc: 1,
    ended: 0,
    vars: [],
    depth: 0,
    at: 0,
    replies,
    explanations,
    reply(statusCode: number, reason: string, options?: ReplyOptions): number {
      if (message.method === 'ACK') return -1
      replies.push({ statusCode, reason, headers: options?.headers ?? '' })
      return 1
    },
    explain: (_what: string, why: string) => void explanations.push(why),
    logFields: () => ({ callId: message.callId }),
    written(): string {
      return writeMessage(this.message, this.edits)
    },
  }
  return context as unknown as BenchContext
}
