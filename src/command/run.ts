import { resolve } from 'node:path'
import { type Diagnostic, renderDiagnostic } from '../../grammar/diagnostics.ts'
import type { ControlServer } from '../control/control-server.ts'
import { MethodTable, type Responder } from '../control/methods.ts'
import { routerMethods } from '../control/router-methods.ts'
import { WorkerResponder } from '../control/worker-responder.ts'
import { addressesOf, parseListen } from '../listen.ts'
import { systemClock } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import { createPinoLog } from '../runtime/pino-log.ts'
import { systemRandom } from '../runtime/random.ts'
import { controlEndpointsOf, type LoadedScript } from '../script/engine.ts'
import { acceptScript, ScriptRejected, startServer } from '../server.ts'
import { openStore, storeFiles } from '../store/open-store.ts'
import type { Store } from '../store/table.ts'
import type { ListenRequest } from '../transport/socket.ts'
import { createSystemNetwork } from '../transport/system-network.ts'
import type { Network } from '../transport/transport.ts'
import { version } from '../version.ts'
import { RejectedByThread, type ServerDescription } from '../worker/messages.ts'
import { type Endpoints, openControl, responderOf } from './control.ts'
import { describe } from './describe.ts'
import { PidFile } from './pid-file.ts'
import {
  becomeIdentity,
  giveDataDirectory,
  giveSockets,
  type Identity,
  identityOf,
  mayBind,
} from './privileges.ts'
import { defaultScript, readScript } from './script-file.ts'
import { durabilityWished, levelOf, transactionsThatFit } from './settings.ts'
import { keepRunning } from './stray-errors.ts'
import { freeSockets, superviseThreads, workersWished } from './workers.ts'
import { keepObjectsYoung } from './young-objects.ts'

/** `viaduct run`: one router until SIGTERM or SIGINT. */
export interface RunOptions {
  readonly file?: string | undefined
  readonly define?: ReadonlyMap<string, string>
  readonly listen?: readonly string[]
  readonly data?: string
  readonly plugins?: readonly string[]
  readonly memory?: boolean
  /** The path of the control socket, or `none`. */
  readonly control?: string
  readonly pid?: string
  readonly workdir?: string
  readonly user?: string
  readonly group?: string
  /** Exactly so many, instead of what the script says. */
  readonly workers?: number
  /** Microseconds, instead of the script's udp_moderation. */
  readonly moderation?: number
  readonly debug?: number
  readonly colour?: boolean
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Options of Kamailio's that mean nothing here, by letter, if given. */
  readonly ignored: readonly string[]
}

/** How long a stop waits for transactions: less than what service managers wait before they kill. */
const drainMilliseconds = 4_000

/** Resolves with the exit code once the router has stopped. */
export async function run(options: RunOptions): Promise<number> {
  keepObjectsYoung()
  const pretty = isPretty(options)
  const log = createPinoLog({ level: levelOf(options.debug ?? 0), pretty })
  // `debug=` of the script is about messages; that we started, and on what, is said whatever it is.
  const notices = createPinoLog({ level: 'info', pretty })
  const startup = new Startup(options, log)
  const stopSignal = untilSignalled()
  try {
    const router = await startup.start()
    // As in Kamailio, -d outdoes the script's debug=.
    if (options.debug) log.setLevel(levelOf(options.debug))
    startup.pidFile?.write(process.pid)
    startup.control?.serve(
      responderOf(router.responder, { clock: startup.clock, threads: router.threads }, log),
    )
    announce(router, startup.path, options, notices)
    keepRunning(notices)
    return await stopAfter(stopSignal, router, notices)
  } catch (error) {
    complain(error, log)
    return 1
  } finally {
    startup.control?.close()
    startup.pidFile?.remove()
  }
}

/** A router that runs, of one worker or of several. */
interface RunningRouter {
  readonly diagnostics: readonly Diagnostic[]
  readonly description: ServerDescription
  readonly workers: number
  /** What answers commands about it. */
  readonly responder: Responder
  /** What runs in the process, for people. */
  threads(): readonly string[]
  /** Fulfilled if it cannot go on: no worker is left. */
  readonly ended: Promise<void>
  stop(drainMilliseconds: number): Promise<void>
}

/**
 * The order of things that may fail: the script compiles, the sockets open, and only then is anything written: the
 * pid file while we may still, the data directory as the user that we run as.
 */
class Startup {
  path = ''
  pidFile: PidFile | null = null
  control: ControlServer | null = null
  readonly clock = systemClock()
  readonly #options: RunOptions
  readonly #log: Log

  constructor(options: RunOptions, log: Log) {
    this.#options = options
    this.#log = log
  }

  async start(): Promise<RunningRouter> {
    const { environment, define, plugins, workdir, ignored } = this.#options
    for (const letter of ignored) this.#log.info({ option: letter }, `${letter} is accepted and ${noMeaning}`)
    const identity = identityOf(this.#options.user, this.#options.group)
    this.path = this.#options.file ?? defaultScript()
    if (workdir !== undefined) {
      this.path = resolve(this.path)
      enter(workdir)
    }
    const network = createSystemNetwork({
      log: this.#log,
      environment,
      moderationMicroseconds: this.#options.moderation,
    })
    const listen = await listenRequestsOf(this.#options.listen ?? [], network)
    const exact = this.#options.workers ?? 0
    // Nobody needs to know the script to start so many threads: they load it side by side.
    if (exact > 1) return await this.#startThreads(exact, network, listen, identity)
    const script: ScriptOptions = {
      script: { path: this.path },
      ...(define && { defines: define }),
      ...(plugins && { pluginDirectories: plugins }),
      environment: (name) => environment[name] ?? null,
    }
    const accepted = await acceptScript(script)
    const workers = exact === 1 ? 1 : workersWished(accepted, this.#log)
    if (workers > 1) return await this.#startThreads(workers, network, listen, identity)
    const server = await startServer({
      ...script,
      accepted,
      network,
      log: this.#log,
      clock: this.clock,
      random: systemRandom(),
      store: () => this.#openStore(accepted.loaded, identity),
      ...(listen.length > 0 && { listen }),
      transactionsMax: transactionsThatFit(),
    })
    return {
      diagnostics: accepted.diagnostics,
      description: describe(server),
      workers: 1,
      responder: new MethodTable(routerMethods(server), this.clock, this.#log),
      threads: () => [`main thread: worker 0 ${server.sockets.sockets.map(({ label }) => label).join(' ')}`],
      ended: new Promise(() => {}),
      stop: (milliseconds) => server.stop(milliseconds),
    }
  }

  async #startThreads(
    workers: number,
    network: Network,
    listen: readonly ListenRequest[],
    identity: Identity | null,
  ): Promise<RunningRouter> {
    const { define, plugins, moderation, debug = 0, environment } = this.#options
    const settings = {
      path: this.path,
      directory: this.#directory,
      define,
      plugins,
      listen: listen.length > 0 ? listen : undefined,
      moderation,
      debug,
      pretty: isPretty(this.#options),
      environment: { ...environment },
    }
    const responder = new WorkerResponder(this.clock)
    const supervisor = superviseThreads(workers, settings, this.#log, (worker, commands) =>
      responder.add(worker, commands),
    )
    try {
      const loaded = await supervisor.load()
      const sockets = await freeSockets(network, loaded.listen)
      await supervisor.bind(sockets)
      const uid = process.geteuid?.()
      if (identity !== null && uid === 0) giveSockets(identity)
      await this.#beforeStore(identity, loaded.endpoints as Endpoints)
      supervisor.mayBindAgain = process.geteuid?.() === uid || sockets.every(({ port }) => mayBind(port))
      const description = await supervisor.open()
      await responder.learn()
      return {
        diagnostics: loaded.diagnostics as readonly Diagnostic[],
        description,
        workers,
        responder,
        threads: () => [
          'main thread: commands, and looks after the workers',
          ...responder.living().map((worker) => `worker ${worker} ${description.sockets.join(' ')}`),
        ],
        ended: supervisor.allGivenUp,
        stop: (milliseconds) => supervisor.stop(milliseconds),
      }
    } catch (error) {
      await supervisor.abort()
      if (!(error instanceof RejectedByThread)) throw error
      throw new ScriptRejected(this.path, error.diagnostics as readonly Diagnostic[])
    }
  }

  get #directory(): string | null {
    const { data = './var', memory } = this.#options
    return memory === true ? null : data
  }

  async #openStore(loaded: LoadedScript, identity: Identity | null): Promise<Store> {
    await this.#beforeStore(identity, controlEndpointsOf(loaded))
    const durability = durabilityWished(loaded)
    return await openStore({ directory: this.#directory, log: this.#log, clock: this.clock, durability })
  }

  /** What only root may do, and then no more root. */
  async #beforeStore(identity: Identity | null, endpoints: Endpoints): Promise<void> {
    const { pid, control: wished } = this.#options
    if (pid !== undefined) this.pidFile = new PidFile(pid)
    const settings = { wished, directory: this.#directory, identity }
    this.control = await openControl(settings, endpoints, this.clock, this.#log)
    if (identity === null) return
    if (this.#directory !== null) giveDataDirectory(this.#directory, identity, storeFiles)
    becomeIdentity(identity)
    this.#log.info({ ...identity }, `runs as ${identity.user ?? `group ${identity.gid}`} from here on`)
  }
}

type ScriptOptions = Parameters<typeof acceptScript>[0]

const noMeaning = 'has no meaning here: one process, memory as needed'

function isPretty({ colour }: RunOptions): boolean {
  return colour === true || process.stderr.isTTY === true
}

function enter(directory: string): void {
  try {
    process.chdir(directory)
  } catch (cause) {
    throw new Error(`cannot change to the directory ${directory} (-w): ${(cause as Error).message}`, {
      cause,
    })
  }
}

/** `-l`: an address, an interface, a name or a wildcard, as in a listen statement. */
async function listenRequestsOf(texts: readonly string[], network: Network): Promise<ListenRequest[]> {
  const requests: ListenRequest[] = []
  for (const text of texts) {
    const { transport, host, port } = parseListen(text)
    for (const address of await addressesOf(host, network)) {
      requests.push({ transport, address, port: port === 0 ? 5060 : port })
    }
  }
  return requests
}

/** What an operator wants to know first: where it listens, what it runs, what it loaded, where it keeps things. */
function announce(router: RunningRouter, script: string, options: RunOptions, log: Log): void {
  for (const diagnostic of router.diagnostics) {
    const text = renderDiagnostic(diagnostic, readScript, { colour: false })
    if (diagnostic.severity === 'note') log.debug({ code: diagnostic.code }, text)
    else log.warn({ code: diagnostic.code }, text)
  }
  const { workers, description } = router
  const { sockets, udp, modules, store } = description
  log.info(
    {
      version,
      node: process.version,
      pid: process.pid,
      ...(workers > 1 && { workers }),
      sockets,
      udp,
      script,
      modules,
      store,
    },
    `viaduct ${version} runs ${script} on ${sockets.join(', ')}; ${workers > 1 ? `workers: ${workers}; ` : ''}` +
      `modules: ${modules.join(' ') || 'none'}; UDP: ${udp}; store: ${store}; ` +
      `stop with Ctrl-C or kill ${process.pid}${options.file ? '' : ' (no script was named: -f FILE)'}`,
  )
}

/** SIGTERM or SIGINT; a second one of either ends the process at once. Heard from the start on. */
function untilSignalled(): Promise<NodeJS.Signals> {
  return new Promise((signalled) => {
    let isStopping = false
    const onSignal = (signal: NodeJS.Signals) => {
      if (isStopping) process.exit(1)
      isStopping = true
      signalled(signal)
    }
    process.on('SIGTERM', onSignal)
    process.on('SIGINT', onSignal)
  })
}

/** Runs until then, drains, closes, and ends with 0; with 1 if it cannot go on. */
async function stopAfter(
  signalled: Promise<NodeJS.Signals>,
  router: RunningRouter,
  log: Log,
): Promise<number> {
  const keepAlive = setInterval(() => {}, 2 ** 30)
  const signal = await Promise.race([signalled, router.ended.then(() => null)])
  if (signal !== null) {
    log.info(
      { signal },
      `${signal}: no new requests; waiting for those in flight, at most ${drainMilliseconds} ms`,
    )
  }
  await router.stop(drainMilliseconds)
  clearInterval(keepAlive)
  log.info({}, 'stopped')
  return signal === null ? 1 : 0
}

/** What an operator did wrong is one line that says what to do; where in our code it was found helps nobody. */
function complain(error: unknown, log: Log): void {
  if (error instanceof ScriptRejected) {
    for (const diagnostic of error.diagnostics) {
      if (diagnostic.severity === 'note') continue
      process.stderr.write(
        `${renderDiagnostic(diagnostic, readScript, { colour: process.stderr.isTTY === true })}\n`,
      )
    }
    process.stderr.write(`${error.message}; nothing was started\n`)
    return
  }
  if (!(error instanceof Error)) log.fatal({}, String(error))
  else if (isDefect(error) || log.enabled('debug')) log.fatal({ err: error }, error.message)
  else log.fatal({}, error.message)
}

/** TypeError and its kin are ours; an Error proper was made for a person to read. */
function isDefect(error: Error): boolean {
  return error.constructor !== Error
}
