import type { Diagnostic } from '../../grammar/diagnostics.ts'
import type { Compiler, Program } from '../../grammar/program.ts'
import type { OpenDatabase } from '../database/database.ts'
import type { OpenSharedLocations } from '../edges/shared-locations.ts'
import type { ScriptHost } from '../plugin/host.ts'
import type { LoadedPlugin } from '../plugin/load.ts'
import type { PluginRegistry } from '../plugin/registry.ts'
import type { ProxyCore, ProxyHandlers } from '../proxy/proxy.ts'
import type { OpenRedis } from '../redis/redis-links.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import type { Metrics } from '../runtime/metrics.ts'
import type { Random } from '../runtime/random.ts'
import type { SipMessage } from '../sip/message.ts'
import type { OpenRegion } from '../store/region.ts'
import type { OpenTable } from '../store/table.ts'
import type { TransactionLayer } from '../transaction/transaction.ts'
import type { Flow, ListenSocket, SocketTable } from '../transport/socket.ts'
import type { Workers } from '../worker/workers.ts'

/**
 * What server.ts sees of the script room. The life of an engine:
 *
 *   loadScript(options)            reads, compiles, checks; no plugin runs: `viaduct check` ends here
 *   open the sockets that loaded.program.listens asks for, make transactions and proxy
 *   createEngine(loaded, services) sets up the plugins and links the program
 *   proxy.handlers = engine.handlers
 *   await engine.start()           plugins' start(), event_route[core:worker-one-init]; datagrams may flow now
 *   engine.onArrival(...) then transactions.receiveRequest(...) then engine.onRequest(...), or engine.onReply(...)
 *   await engine.close()
 */
export interface LoadOptions {
  /** The script's file; with `text` only its name in diagnostics and the place that relative paths start from. */
  readonly path: string
  /** The script itself, instead of the file. */
  readonly text?: string
  readonly compiler: Compiler
  /** `-A NAME=VALUE`. */
  readonly defines?: ReadonlyMap<string, string>
  /** Environment variables for defenv, `$env` and the like; none if absent. */
  readonly environment?: (name: string) => string | null
  /** Null if there is no such file; node:fs if absent. */
  readonly readFile?: (path: string) => string | null
  /** `-L`: directories in which modules are looked for that are not built in. */
  readonly pluginDirectories?: readonly string[]
  /** The built-in plugins and how others are found; src/plugin/registry.ts if absent. */
  readonly registry?: PluginRegistry
}

export interface LoadResult {
  /** Null if any diagnostic is an error. */
  readonly loaded: LoadedScript | null
  readonly diagnostics: readonly Diagnostic[]
}

export interface LoadedScript {
  readonly path: string
  readonly program: Program
  /** In the order of the loadmodule statements. */
  readonly plugins: readonly LoadedPlugin[]
  /** A global parameter by its name or alias: what the script set, else the default. */
  global(name: string): string | number
  readonly environment: (name: string) => string | null
  /** What log_prefix puts before the lines of a message; null for nothing. */
  readonly logPrefix: ((run: never) => string) | null
}

export interface EngineServices {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly metrics: Metrics
  /** Open already, but no datagram is handed over before start() is fulfilled. */
  readonly sockets: SocketTable
  readonly proxy: ProxyCore
  readonly transactions: TransactionLayer
  readonly openTable: OpenTable
  readonly openRegion: OpenRegion
  readonly openDatabase: OpenDatabase
  /** Absent: there is none. */
  readonly openRedis?: OpenRedis
  /** Absent: over openRedis(). */
  readonly openSharedLocations?: OpenSharedLocations
  /** A router that is one worker if absent. */
  readonly workers?: Workers
  /** Octets that are no SIP message, or a message that is complete already. */
  sendRaw(socket: ListenSocket, text: string, address: string, port: number): void
}

/** A method of the control API: `ul.dump`. */
export type RpcHandler = (params: readonly unknown[]) => unknown

export interface Engine {
  readonly loaded: LoadedScript
  /** For ProxyCore.handlers: tm's branch, reply and failure routes, and onsend_route. */
  readonly handlers: ProxyHandlers
  readonly script: ScriptHost
  /** RPC methods of all plugins by whole name. */
  readonly rpc: ReadonlyMap<string, RpcHandler>
  /**
   * First thing for every datagram, retransmissions too: plugins hear of it, event_route[core:msg-received] runs.
   * Null stands for a keepalive that is no message. False: drop it.
   */
  onArrival(message: SipMessage | null, flow: Flow): boolean
  /** A request that no transaction knows (RequestOutcome `new`): runs request_route. Never throws. */
  onRequest(message: SipMessage, flow: Flow): void
  /** Whether a module knows the sender of a request that begins something: PluginHost.knows(). */
  isKnown(message: SipMessage, flow: Flow): boolean
  /**
   * Every response: runs reply_route, then hands it to the transaction layer, and what no transaction takes to the
   * stateless proxy. Never throws.
   */
  onReply(message: SipMessage, flow: Flow): void
  /** From the transport: tells the plugins and the transaction layer. */
  onSendError(flow: Flow, code: string): void
  start(): Promise<void>
  /**
   * Goes over to another version of the script; messages and transactions in flight end on the one they began with.
   * Routes may change, loadmodule and modparam may not: what stands against it comes back, and nothing is changed.
   */
  swap(loaded: LoadedScript): readonly Diagnostic[]
  /** Script runs that wait for something. */
  readonly suspendedCount: number
  /** Fulfilled when no run is suspended any more, for a drain. */
  idle(): Promise<void>
  /** Stops timers and closes the plugins, in reverse order. */
  close(): Promise<void>
}

export { createEngine } from './create-engine.ts'
export { loadScript } from './load.ts'
export { controlEndpointsOf } from './plugins.ts'
export type { LoadedPlugin, PluginRegistry }
