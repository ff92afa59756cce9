import { dirname, resolve } from 'node:path'
import { compiler } from '../grammar/compile.ts'
import type { Diagnostic } from '../grammar/diagnostics.ts'
import { createOpenDatabase } from './database/index.ts'
import type { OpenSharedLocations } from './edges/shared-locations.ts'
import { Intake } from './intake.ts'
import { limits } from './limits.ts'
import { advertised, listenRequests } from './listen.ts'
import { type Prefix, parsePrefix } from './location/prefix.ts'
import { Overload, type OverloadOptions } from './overload/overload.ts'
import { createProxy } from './proxy/core.ts'
import { type OpenRedis, RedisLinks } from './redis/redis-links.ts'
import type { Clock } from './runtime/clock.ts'
import type { Log } from './runtime/log.ts'
import { createMetrics, type Metrics } from './runtime/metrics.ts'
import type { Random } from './runtime/random.ts'
import { createEngine, type Engine, type LoadedScript, loadScript } from './script/engine.ts'
import { type OpenRegion, privateRegions } from './store/region.ts'
import type { Store } from './store/table.ts'
import { createTransactionLayer } from './transaction/layer.ts'
import type { ListenRequest, SocketTable } from './transport/socket.ts'
import { createSocketTable } from './transport/sockets.ts'
import type { Network, Transport } from './transport/transport.ts'
import { Handover, sendErrorTopic, type ToldSendError } from './worker/handover.ts'
import type { Link } from './worker/link.ts'
import { branchMark } from './worker/mark.ts'
import { type SummedMetrics, summedMetrics } from './worker/summed-metrics.ts'
import { createWorkers, type LinkedWorkers } from './worker/workers.ts'

/**
 * The composition root: makes the rooms and gives each its handler. What runs a real router (command/run.ts) and
 * what runs a simulated one (testing/ladder.ts) call the same function with another outside world.
 */
export interface ServerOptions {
  /** The script's file; with `text` only its name and the place that relative paths start from. */
  readonly script: { readonly path: string; readonly text?: string }
  readonly network: Network
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** A function is called once the script is accepted and the sockets are open: until then nothing is written. */
  readonly store: Store | (() => Promise<Store>)
  /** Memory that several workers of one router share; its own if absent. */
  readonly regions?: OpenRegion
  /** What tests have instead of Redis; they close it. */
  readonly openRedis?: OpenRedis
  /** What several simulated routers share instead (testing/shared-location.ts). */
  readonly openSharedLocations?: OpenSharedLocations
  /** Instead of what the script says. */
  readonly listen?: readonly ListenRequest[]
  readonly defines?: ReadonlyMap<string, string>
  readonly environment?: (name: string) => string | null
  /** Directories in which modules are looked for that are not built in. */
  readonly pluginDirectories?: readonly string[]
  /** Live transactions, if fewer than limits.transactionsMax. */
  readonly transactionsMax?: number
  /** What is loaded already, from the same script with the same defines. */
  readonly accepted?: AcceptedScript
  /** This is one of several workers of a router. */
  readonly worker?: WorkerOptions
}

export interface WorkerOptions {
  readonly link: Link
  /** The same for all workers: what one signs another recognizes. */
  readonly secret: string
  readonly isReplacement: boolean
  /** Awaited before the first datagram is handled: until then the others may not be ready. */
  readonly othersReady: (ready: Pick<Server, 'transport' | 'loaded' | 'storeDescription'>) => Promise<void>
}

export interface AcceptedScript {
  readonly loaded: LoadedScript
  /** Notes and warnings. */
  readonly diagnostics: readonly Diagnostic[]
}

export interface Server {
  readonly engine: Engine
  readonly sockets: SocketTable
  readonly metrics: Metrics
  readonly transport: Transport
  readonly loaded: LoadedScript
  /** `memory`, `lmdb ./var`. */
  readonly storeDescription: string
  /** Notes and warnings of the compiler. */
  readonly diagnostics: readonly Diagnostic[]
  /** Refuses new requests; fulfilled when nobody waits for an answer, or after so many milliseconds. */
  drain(milliseconds: number): Promise<void>
  /** Another worker of the router has died, or serves again. */
  workerLost(worker: number): void
  workerRegained(worker: number): void
  /** Refuses new requests, lets transactions end for at most `drainMilliseconds`, then closes everything. */
  stop(drainMilliseconds?: number): Promise<void>
}

/** The script has errors: nothing was started. */
export class ScriptRejected extends Error {
  override readonly name = 'ScriptRejected'
  readonly diagnostics: readonly Diagnostic[]

  constructor(path: string, diagnostics: readonly Diagnostic[]) {
    const count = diagnostics.filter((diagnostic) => diagnostic.severity === 'error').length
    super(`${path}: ${count} ${count === 1 ? 'error' : 'errors'}`)
    this.diagnostics = diagnostics
  }
}

/**
 * Loads a script as startServer does; nothing runs yet.
 *
 * @throws ScriptRejected with all diagnostics.
 */
export async function acceptScript(
  options: Pick<ServerOptions, 'script' | 'defines' | 'environment' | 'pluginDirectories'>,
): Promise<AcceptedScript> {
  const { loaded, diagnostics } = await loadScript({
    ...options.script,
    compiler,
    ...(options.defines && { defines: options.defines }),
    ...(options.environment && { environment: options.environment }),
    ...(options.pluginDirectories && { pluginDirectories: options.pluginDirectories }),
  })
  if (!loaded) throw new ScriptRejected(options.script.path, diagnostics)
  return { loaded, diagnostics }
}

/** The sockets that a router opens: what `listen` says instead of the script, else the script's own statements. */
export async function socketsOf(
  { loaded }: AcceptedScript,
  { listen, network, log }: Pick<ServerOptions, 'listen' | 'network' | 'log'>,
): Promise<ListenRequest[]> {
  const requests =
    listen ?? (await listenRequests(loaded.program.listens, Number(loaded.global('port')), network, log))
  return advertised(
    requests,
    String(loaded.global('advertised_address')),
    Number(loaded.global('advertised_port')),
  )
}

/**
 * Starts a router, or one of its workers.
 *
 * @throws ScriptRejected with all diagnostics; Error if a socket cannot be bound, the store cannot be used, or a
 * plugin's setup fails. Whatever was opened before is closed again.
 */
export async function startServer(options: ServerOptions): Promise<Server> {
  const { clock, random, log, network, worker } = options
  const accepted = options.accepted ?? (await acceptScript(options))
  const { loaded, diagnostics } = accepted

  const workers = createWorkers(worker?.link ?? null, worker?.secret, worker?.isReplacement)
  const metrics = metricsOf(workers)
  const intake = new Intake(log, metrics, clock)
  const opened: (() => void | Promise<void>)[] = []
  const closeAll = async () => {
    for (const close of opened.splice(0).toReversed()) await close()
  }
  try {
    const transport = await network.open(await socketsOf(accepted, options), intake, {
      receiveBufferBytes: Number(loaded.global('maxbuffer')),
      moderationMicroseconds: Number(loaded.global('udp_moderation')),
      bursts: Number(loaded.global('udp_bursts')) !== 0,
      ...(worker && { reusePort: true }),
    })
    opened.push(() => transport.close())
    const store = typeof options.store === 'function' ? await options.store() : options.store
    opened.push(() => store.close())
    metrics.gauge('viaduct_store_refuses_writes', 'Workers whose store takes no writes now.', () =>
      typeof store.refusal?.() === 'string' ? 1 : 0,
    )
    const sockets = createSocketTable(transport.sockets)
    for (const alias of loaded.program.aliases) sockets.addAlias(alias.host, alias.port)
    const send = transport.send.bind(transport)
    const transactions = createTransactionLayer({
      clock,
      random,
      log,
      metrics,
      send,
      transactionsMax: options.transactionsMax ?? limits.transactionsMax,
      ...(worker && { branchMark: branchMark(worker.link.index), worker: worker.link }),
    })
    opened.push(() => transactions.close())
    const proxy = createProxy({
      transactions,
      sockets,
      send,
      clock,
      random,
      log,
      metrics,
      resolve: network.resolve.bind(network),
      ...(transport.identifyBy && { identifyBy: transport.identifyBy.bind(transport) }),
      ...(worker && { branchKey: worker.secret }),
    })
    const links = new RedisLinks({ clock, random, log, metrics })
    opened.push(() => links.close())
    const engine = await createEngine(loaded, {
      clock,
      random,
      log,
      metrics,
      sockets,
      proxy,
      transactions,
      openTable: store.open,
      openRegion: options.regions ?? privateRegions(),
      openDatabase: createOpenDatabase((path) => resolve(dirname(options.script.path), path), log),
      openRedis: options.openRedis ?? links.open,
      ...(options.openSharedLocations && { openSharedLocations: options.openSharedLocations }),
      sendRaw: send,
      workers,
    })
    opened.push(() => engine.close())
    proxy.handlers = engine.handlers
    const handover = worker ? new Handover(worker.link, workers, clock, transactions, metrics) : null
    if (worker?.isReplacement) handover?.unsettle()
    if (worker) opened.push(join(worker.link, workers, intake, transport, metrics, clock))
    await engine.start()
    await worker?.othersReady({ transport, loaded, storeDescription: store.description })
    intake.open(engine, transactions, proxy, handover)
    opened.push(guard(intake, engine, { clock, random, log, metrics }))
    return {
      engine,
      sockets,
      metrics,
      transport,
      loaded,
      storeDescription: store.description,
      diagnostics,
      drain: (milliseconds) => intake.drain(clock, milliseconds),
      workerLost: (index) => handover?.lose(index),
      workerRegained: (index) => handover?.regain(index),
      async stop(drainMilliseconds = 0) {
        await intake.drain(clock, drainMilliseconds)
        intake.close()
        await closeAll()
      },
    }
  } catch (error) {
    await closeAll()
    throw error
  }
}

function metricsOf(workers: LinkedWorkers): SummedMetrics {
  const metrics = createMetrics()
  if (workers.count > 1) metrics.gauge('viaduct_workers', 'Worker threads.', () => workers.count, true)
  return summedMetrics(metrics, workers)
}

/** Newcomers are turned away under overload, if the script says so. Returns what ends that. */
function guard(
  intake: Intake,
  engine: Engine,
  services: Pick<OverloadOptions, 'clock' | 'random' | 'log' | 'metrics'>,
): () => void {
  const { loaded } = engine
  if (loaded.global('overload_shed') === 0 || services.clock.slept === undefined) return () => {}
  const trusted = prefixesOf(String(loaded.global('overload_known')), services.log)
  const overload = new Overload({
    ...services,
    isKnown: (request, flow) =>
      trusted.some((prefix) => prefix.contains(flow.address)) || engine.isKnown(request, flow),
    onChange: (isShedding) => intake.shed(isShedding ? overload : null),
  })
  return () => overload.close()
}

function prefixesOf(text: string, log: Log): Prefix[] {
  const prefixes: Prefix[] = []
  for (const word of text.split(/[\s,]+/).filter(Boolean)) {
    const prefix = parsePrefix(word)
    if (prefix === null) log.warn({ prefix: word }, `overload_known: ${word} is no address and no prefix`)
    else prefixes.push(prefix)
  }
  return prefixes
}

/** Milliseconds between two times that a worker tells the others what it has counted. */
const publishMs = 1_000

/** From now on what other workers pass and tell arrives. Returns what ends that. */
function join(
  link: Link,
  workers: LinkedWorkers,
  intake: Intake,
  { sockets }: Transport,
  metrics: SummedMetrics,
  clock: Clock,
): () => void {
  link.open({
    onPassed(text, socketIndex, address, port, hops) {
      const socket = sockets[socketIndex]
      if (socket !== undefined) intake.onPassed(text, { socket, address, port }, hops)
    },
    onTold: (from, topic, text) => workers.told(from, topic, text),
  })
  workers.onTold(sendErrorTopic, (value) => {
    const { socketIndex, address, port, code } = value as ToldSendError
    const socket = sockets[socketIndex]
    if (socket !== undefined) intake.onToldSendError({ socket, address, port }, code)
  })
  const publish = () => {
    metrics.publish()
    timer = clock.schedule(publishMs, publish)
  }
  let timer = clock.schedule(publishMs, publish)
  return () => {
    timer.cancel()
    link.close()
  }
}
