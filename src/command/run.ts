import { existsSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { renderDiagnostic } from '../../grammar/diagnostics.ts'
import { parseListen } from '../listen.ts'
import { systemClock } from '../runtime/clock.ts'
import type { Log, LogLevel } from '../runtime/log.ts'
import { createPinoLog } from '../runtime/pino-log.ts'
import { systemRandom } from '../runtime/random.ts'
import { ScriptRejected, type Server, startServer } from '../server.ts'
import { openStore } from '../store/open-store.ts'
import { createSystemNetwork } from '../transport/system-network.ts'
import { version } from '../version.ts'
import { readScript } from './script-file.ts'

/** `viaduct run`: one router until SIGTERM or SIGINT. */
export interface RunOptions {
  readonly file?: string | undefined
  readonly define?: ReadonlyMap<string, string>
  readonly listen?: readonly string[]
  readonly data?: string
  readonly memory?: boolean
  readonly pid?: string
  readonly workdir?: string
  readonly user?: string
  readonly group?: string
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
  try {
    if (options.workdir !== undefined) process.chdir(options.workdir)
    const path = options.file ?? defaultScript()
    for (const letter of options.ignored) {
      log.info(
        { option: letter },
        `${letter} is accepted and has no meaning here: one process, memory as needed`,
      )
    }
    const server = await start(path, options, log)
    dropPrivileges(options, log)
    if (options.pid !== undefined) writeFileSync(options.pid, `${process.pid}\n`)
    announce(server, path, options, notices)
    return await untilStopped(server, notices)
  } catch (error) {
    complain(error, log)
    return 1
  }
}

async function start(path: string, options: RunOptions, log: Log): Promise<Server> {
  const network = createSystemNetwork({ log, environment: options.environment })
  const clock = systemClock()
  const listen = []
  for (const text of options.listen ?? []) {
    const { transport, host, port } = parseListen(text)
    listen.push({ transport, address: host, port: port === 0 ? 5060 : port })
  }
  const store = await openStore({
    directory: options.memory === true ? null : (options.data ?? './var'),
    log,
    clock,
  })
  return await startServer({
    script: { path },
    network,
    clock,
    random: systemRandom(),
    log,
    store,
    ...(listen.length > 0 && { listen }),
    ...(options.define && { defines: options.define }),
    environment: (name) => options.environment[name] ?? null,
  })
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
      script,
      modules,
      store: server.storeDescription,
    },
    `viaduct ${version} runs ${script} on ${sockets.join(', ')}; modules: ${modules.join(' ') || 'none'}; ` +
      `store: ${server.storeDescription}; stop with Ctrl-C or kill ${process.pid}${options.file ? '' : ' (no script was named: -f FILE)'}`,
  )
}

/** SIGTERM and SIGINT drain and end with 0; a second one ends at once. */
async function untilStopped(server: Server, log: Log): Promise<number> {
  const keepAlive = setInterval(() => {}, 2 ** 30)
  await new Promise<void>((stop) => {
    const onSignal = (signal: NodeJS.Signals) => {
      log.info(
        { signal },
        `${signal}: no new requests; waiting for those in flight, at most ${drainMilliseconds} ms`,
      )
      process.once('SIGINT', () => process.exit(1))
      stop()
    }
    process.once('SIGTERM', onSignal)
    process.once('SIGINT', onSignal)
  })
  await server.stop(drainMilliseconds)
  clearInterval(keepAlive)
  log.info({}, 'stopped')
  return 0
}

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
  log.fatal({ err: error }, error instanceof Error ? error.message : String(error))
}

/** Group before user: afterwards we may not change the group any more. */
function dropPrivileges(options: RunOptions, log: Log): void {
  if (options.group !== undefined) process.setgid?.(numericIfPossible(options.group))
  if (options.user !== undefined) {
    process.setgroups?.([])
    process.setuid?.(numericIfPossible(options.user))
    log.info({ user: options.user }, `runs as ${options.user} from here on`)
  }
}

function numericIfPossible(name: string): string | number {
  return /^\d+$/.test(name) ? Number(name) : name
}

function defaultScript(): string {
  const ofHost = '/etc/viaduct/viaduct.cfg'
  if (existsSync(ofHost)) return ofHost
  const candidates = ['../../routes/edge.cfg', '../../../routes/edge.cfg']
  const found = candidates
    .map((path) => fileURLToPath(new URL(path, import.meta.url)))
    .find((path) => existsSync(path))
  if (found === undefined) throw new Error(`no script: name one with -f FILE, or put it at ${ofHost}`)
  return found
}

function levelOf(debug: number): LogLevel {
  return debug === 0 ? 'info' : debug === 1 ? 'debug' : 'trace'
}
