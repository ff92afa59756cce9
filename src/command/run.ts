import { resolve } from 'node:path'
import { getHeapStatistics } from 'node:v8'
import { renderDiagnostic } from '../../grammar/diagnostics.ts'
import { limits } from '../limits.ts'
import { addressesOf, parseListen } from '../listen.ts'
import { systemClock } from '../runtime/clock.ts'
import type { Log, LogLevel } from '../runtime/log.ts'
import { createPinoLog } from '../runtime/pino-log.ts'
import { systemRandom } from '../runtime/random.ts'
import { ScriptRejected, type Server, startServer } from '../server.ts'
import { openStore, storeFiles } from '../store/open-store.ts'
import type { Store } from '../store/table.ts'
import type { ListenRequest } from '../transport/socket.ts'
import { createSystemNetwork } from '../transport/system-network.ts'
import type { Network } from '../transport/transport.ts'
import { version } from '../version.ts'
import { PidFile } from './pid-file.ts'
import { becomeIdentity, giveDataDirectory, type Identity, identityOf } from './privileges.ts'
import { defaultScript, readScript } from './script-file.ts'
import { keepRunning } from './stray-errors.ts'

/** `viaduct run`: one router until SIGTERM or SIGINT. */
export interface RunOptions {
  readonly file?: string | undefined
  readonly define?: ReadonlyMap<string, string>
  readonly listen?: readonly string[]
  readonly data?: string
  readonly plugins?: readonly string[]
  readonly memory?: boolean
  readonly pid?: string
  readonly workdir?: string
  readonly user?: string
  readonly group?: string
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
  const pretty = options.colour === true || process.stderr.isTTY === true
  const log = createPinoLog({ level: levelOf(options.debug ?? 0), pretty })
  // `debug=` of the script is about messages; that we started, and on what, is said whatever it is.
  const notices = createPinoLog({ level: 'info', pretty })
  const startup = new Startup(options, log)
  const stopSignal = untilSignalled()
  try {
    const server = await startup.start()
    // As in Kamailio, -d outdoes the script's debug=.
    if (options.debug) log.setLevel(levelOf(options.debug))
    startup.pidFile?.write(process.pid)
    announce(server, startup.path, options, notices)
    keepRunning(notices)
    return await stopAfter(stopSignal, server, notices)
  } catch (error) {
    complain(error, log)
    return 1
  } finally {
    startup.pidFile?.remove()
  }
}

/**
 * The order of things that may fail: the script compiles, the sockets open, and only then is anything written: the
 * pid file while we may still, the data directory as the user that we run as.
 */
class Startup {
  path = ''
  pidFile: PidFile | null = null
  readonly #options: RunOptions
  readonly #log: Log
  readonly #clock = systemClock()

  constructor(options: RunOptions, log: Log) {
    this.#options = options
    this.#log = log
  }

  async start(): Promise<Server> {
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
    return await startServer({
      script: { path: this.path },
      network,
      clock: this.#clock,
      random: systemRandom(),
      log: this.#log,
      store: () => this.#openStore(identity),
      ...(listen.length > 0 && { listen }),
      ...(define && { defines: define }),
      ...(plugins && { pluginDirectories: plugins }),
      environment: (name) => environment[name] ?? null,
      transactionsMax: transactionsThatFit(),
    })
  }

  async #openStore(identity: Identity | null): Promise<Store> {
    const { data = './var', memory, pid } = this.#options
    const directory = memory === true ? null : data
    if (pid !== undefined) this.pidFile = new PidFile(pid)
    if (identity !== null) {
      if (directory !== null) giveDataDirectory(directory, identity, storeFiles)
      becomeIdentity(identity)
      this.#log.info({ ...identity }, `runs as ${identity.user ?? `group ${identity.gid}`} from here on`)
    }
    return await openStore({ directory, log: this.#log, clock: this.#clock })
  }
}

const noMeaning = 'has no meaning here: one process, memory as needed'

/** Octets of V8's heap that transactions never get: its nursery, and the program itself. */
const nurseryBytes = 100_663_296
const programBytes = 25_165_824
const fewestTransactions = 1_000

/**
 * Half of the heap that is left is for transactions. V8 takes about a quarter of a small host's memory, or what
 * --max-old-space-size says, and ends the process where that is used up: a flood must be refused before.
 */
function transactionsThatFit(): number {
  const left = getHeapStatistics().heap_size_limit - nurseryBytes - programBytes
  const fitting = Math.floor(left / 2 / limits.transactionBytes)
  return Math.min(limits.transactionsMax, Math.max(fewestTransactions, fitting))
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
function announce(server: Server, script: string, options: RunOptions, log: Log): void {
  for (const diagnostic of server.diagnostics) {
    const text = renderDiagnostic(diagnostic, readScript, { colour: false })
    if (diagnostic.severity === 'note') log.debug({ code: diagnostic.code }, text)
    else log.warn({ code: diagnostic.code }, text)
  }
  const sockets = server.transport.sockets.map(({ label }) => label)
  const modules = server.loaded.plugins.map(({ definition }) => definition.name)
  log.info(
    {
      version,
      node: process.version,
      pid: process.pid,
      sockets,
      udp: server.transport.engine,
      script,
      modules,
      store: server.storeDescription,
    },
    `viaduct ${version} runs ${script} on ${sockets.join(', ')}; modules: ${modules.join(' ') || 'none'}; ` +
      `UDP: ${server.transport.engine}; store: ${server.storeDescription}; stop with Ctrl-C or kill ${process.pid}${options.file ? '' : ' (no script was named: -f FILE)'}`,
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

/** Runs until then, drains, closes, and ends with 0. */
async function stopAfter(signalled: Promise<NodeJS.Signals>, server: Server, log: Log): Promise<number> {
  const keepAlive = setInterval(() => {}, 2 ** 30)
  const signal = await signalled
  log.info(
    { signal },
    `${signal}: no new requests; waiting for those in flight, at most ${drainMilliseconds} ms`,
  )
  await server.stop(drainMilliseconds)
  clearInterval(keepAlive)
  log.info({}, 'stopped')
  return 0
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

function levelOf(debug: number): LogLevel {
  return debug === 0 ? 'info' : debug === 1 ? 'debug' : 'trace'
}
