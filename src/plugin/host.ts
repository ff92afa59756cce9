import type { OpenDatabase } from '../database/database.ts'
import type { OpenSharedLocations } from '../edges/shared-locations.ts'
import type { ProxyCore } from '../proxy/proxy.ts'
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
import type { RouteContext } from './route-context.ts'

/**
 * What a plugin's setup gets: the router's services, and its own parameters. Built-in plugins have nothing else;
 * what they need, users' plugins can have.
 */
export interface PluginHost {
  readonly clock: Clock
  readonly random: Random
  /** Carries the module's name. */
  readonly log: Log
  readonly metrics: Metrics
  readonly sockets: SocketTable
  readonly proxy: ProxyCore
  readonly transactions: TransactionLayer
  readonly script: ScriptHost
  /** A durable table of this name; opened once, shared by all who name it. */
  readonly openTable: OpenTable
  /** Memory outside the heap, shared by all workers of the router. */
  readonly openRegion: OpenRegion
  /** The workers of the router, and which of them this is: each has its own modules, set up alike. */
  readonly workers: Workers
  /** By URL, as Kamailio's db_url says it. Rejects with an Error that says what is wrong. */
  readonly openDatabase: OpenDatabase
  /**
   * By URL: redis://host:6379/0. One link for all who name the same, which the router closes; it may be down. Throws an Error
   * that says what is wrong with the URL.
   */
  readonly openRedis: OpenRedis
  /** What this router shares with other edges of its location; over openRedis(). Whoever opens it closes it. */
  readonly openSharedLocations: OpenSharedLocations
  /** The file a relative path in a parameter means: seen from the script's directory. */
  resolvePath(path: string): string
  /** Globals of the script by name, defaults filled in. */
  global(name: string): string | number
  /** What each global that means something here is for, by name. */
  readonly globals: ReadonlyMap<string, { readonly doc: string }>
  /** `debug` as it is now: setdebug() and commands change it, and with it what this worker logs. */
  readonly debug: DebugLevel
  /** `group.name = value` of the script: $sel(cfg_get.group.name). */
  readonly customGlobals: Map<string, string | number>
  readonly defines: ReadonlyMap<string, string>
  /** What another plugin, named in `uses`, exported; undefined for an optional one that is not loaded. */
  exportsOf<T>(plugin: string): T | undefined
  /** Sends octets that are no SIP message (NAT keepalives). */
  sendRaw(socket: ListenSocket, text: string, address: string, port: number): void
  /**
   * Hears of every request and reply as it arrives, before the script: flows that are alive. Must be cheap and
   * must not throw. Keepalive datagrams (CRLF, zeros) come with message null. A listener that returns 'taken' answers
   * for the message: all listeners hear of it, the script and the transactions do not.
   */
  // biome-ignore lint/suspicious/noConfusingVoidType: a listener that takes nothing need not say so
  onArrival(listener: (message: SipMessage | null, flow: Flow) => void | 'taken'): void
  /**
   * Sees every request that is to run the script, and no retransmission, before it does. One that returns true answers
   * for it, and the script never sees it. Must be cheap.
   */
  onRequest(takes: (request: SipMessage, flow: Flow) => boolean): void
  /**
   * Whether the sender of a request that begins something is known: has a binding, say. Asked only while the router cannot
   * keep up and turns newcomers away, and then of every such request. One that says yes is enough.
   */
  knows(isKnown: (request: SipMessage, flow: Flow) => boolean): void
  /** ICMP and other errors of sending to a flow. */
  onSendError(listener: (flow: Flow, code: string) => void): void
  /** Every so many milliseconds until close; the first time after one interval. Errors are logged, never fatal. */
  every(milliseconds: number, run: () => void | Promise<void>): void
}

export interface DebugLevel {
  value: number
}

export interface ScriptHost {
  hasRoute(kind: RouteContext['kind'], name: string): boolean
  /**
   * Runs `route[name]` as `route(name)` of the script does, and says what it returned; undefined if there is no such
   * route. Only for functions that declare `waits`.
   */
  runRoute(context: RouteContext, name: string): number | Promise<number> | undefined
  /**
   * Runs `event_route[name]` with a message (a made-up one if null) and says what it returned; undefined if
   * there is no such route. `prepare` may set what the event's variables read.
   */
  runEvent(
    name: string,
    message: SipMessage | null,
    flow: Flow | null,
    prepare?: (context: RouteContext) => void,
  ): number | undefined | Promise<number>
}
