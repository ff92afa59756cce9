import { dirname, resolve } from 'node:path'
import { openSharedLocations } from '../edges/shared-locations.ts'
import type { DebugLevel, PluginHost, ScriptHost } from '../plugin/host.ts'
import { levelOfDebug } from '../plugin/log-level.ts'
import type { Timer } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import { redactText } from '../runtime/redact.ts'
import type { SipMessage } from '../sip/message.ts'
import type { Flow } from '../transport/socket.ts'
import { oneWorker } from '../worker/workers.ts'
import type { EngineServices, LoadedScript } from './engine.ts'
import { coreGlobals } from './globals.ts'
import type { Surroundings } from './surroundings.ts'

/** Who wants to hear of arrivals and errors, what runs now and then, and what plugins gave each other. */
export class PluginConnections {
  readonly arrivalListeners: Parameters<PluginHost['onArrival']>[0][] = []
  readonly sendErrorListeners: ((flow: Flow, code: string) => void)[] = []
  readonly takers: Parameters<PluginHost['onRequest']>[0][] = []
  readonly knowers: Parameters<PluginHost['knows']>[0][] = []
  readonly exports = new Map<string, unknown>()
  readonly debug: DebugLevel
  readonly #services: EngineServices
  readonly #timers = new Set<Timer>()
  #isClosed = false

  constructor(services: EngineServices, debug: number) {
    this.debug = new LogDebugLevel(services.log, debug)
    this.#services = services
  }

  /** Hot: once per datagram. False if one took it. Listeners must not throw; one that does costs itself alone. */
  tellArrival(message: SipMessage | null, flow: Flow): boolean {
    let isTaken = false
    for (const listener of this.arrivalListeners) {
      try {
        if (listener(message, flow) === 'taken') isTaken = true
      } catch (error) {
        this.#services.log.error({ err: error }, 'a module that listens for arrivals threw')
      }
    }
    return !isTaken
  }

  tellSendError(flow: Flow, code: string): void {
    for (const listener of this.sendErrorListeners) {
      try {
        listener(flow, code)
      } catch (error) {
        this.#services.log.error({ err: error }, 'a module that listens for send errors threw')
      }
    }
  }

  /** Whether one answers for the request. One that throws has done so: the sender will come again. */
  takes(request: SipMessage, flow: Flow): boolean {
    for (const takes of this.takers) {
      try {
        if (takes(request, flow)) return true
      } catch (error) {
        this.#services.log.error({ err: error }, 'a module that answers for requests threw')
        return true
      }
    }
    return false
  }

  isKnown(request: SipMessage, flow: Flow): boolean {
    try {
      return this.knowers.some((knows) => knows(request, flow))
    } catch (error) {
      this.#services.log.error({ err: error }, 'a module that was asked for a sender threw')
      return false
    }
  }

  /** Again so many milliseconds after the last time has ended: a slow run never meets itself. */
  every(log: Log, milliseconds: number, run: () => void | Promise<void>): void {
    if (this.#isClosed) return
    const timer = this.#services.clock.schedule(milliseconds, () => {
      this.#timers.delete(timer)
      void this.#attempt(log, run).then(() => this.every(log, milliseconds, run))
    })
    this.#timers.add(timer)
  }

  close(): void {
    this.#isClosed = true
    for (const timer of this.#timers) timer.cancel()
    this.#timers.clear()
  }

  async #attempt(log: Log, run: () => void | Promise<void>): Promise<void> {
    try {
      await run()
    } catch (error) {
      log.error({ err: error }, 'something that runs now and then threw; it will run again')
    }
  }
}

class LogDebugLevel implements DebugLevel {
  readonly #log: Log
  #value: number

  constructor(log: Log, value: number) {
    this.#log = log
    this.#value = value
  }

  get value(): number {
    return this.#value
  }

  set value(debug: number) {
    this.#value = debug
    this.#log.setLevel(levelOfDebug(debug))
  }
}

const meaningfulGlobals = new Map(
  Object.entries(coreGlobals).filter(([, { ignored }]) => ignored === undefined),
)

export function createPluginHost(
  name: string,
  surroundings: Surroundings,
  connections: PluginConnections,
  script: ScriptHost,
): PluginHost {
  const { services, loaded } = surroundings
  const log = services.log.child({ module: name })
  const openRedis = services.openRedis ?? noRedis
  const workers = services.workers ?? oneWorker
  return {
    clock: services.clock,
    random: services.random,
    log,
    metrics: services.metrics,
    sockets: services.sockets,
    proxy: services.proxy,
    transactions: services.transactions,
    script,
    openTable: services.openTable,
    openRegion: services.openRegion,
    workers,
    openDatabase: services.openDatabase,
    openRedis,
    openSharedLocations:
      services.openSharedLocations ??
      ((url, options) => openSharedLocations(openRedis(url), { ...services, log, workers }, options)),
    resolvePath: (path) => resolve(dirname(loaded.path), path),
    global: (parameter) => surroundings.loaded.global(parameter),
    globals: meaningfulGlobals,
    debug: connections.debug,
    customGlobals: surroundings.customGlobals,
    defines: surroundings.defines,
    exportsOf: <T>(plugin: string) => connections.exports.get(plugin) as T | undefined,
    sendRaw: (socket, text, address, port) => services.sendRaw(socket, text, address, port),
    onArrival: (listener) => connections.arrivalListeners.push(listener),
    onRequest: (takes) => connections.takers.push(takes),
    knows: (isKnown) => connections.knowers.push(isKnown),
    onSendError: (listener) => connections.sendErrorListeners.push(listener),
    every: (milliseconds, run) => connections.every(log, milliseconds, run),
  }
}

function noRedis(url: string): never {
  throw new Error(`there is no Redis here: ${redactText(url)}`)
}

/** `group.name`, and `group[1].name` for an instance. */
export function customGlobalsOf(loaded: LoadedScript): Map<string, string | number> {
  return new Map(loaded.program.customGlobals.map(({ group, name, value }) => [`${group}.${name}`, value]))
}
