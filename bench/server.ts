import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs'
import { mainOf, thisCheckout } from './compiled.ts'
import { workFolder } from './generator.ts'
import { processTree } from './process-tree.ts'
import { type Scenario, scriptsFolder } from './scenarios.ts'

/** A server under test: what starts it, and its life as a process that is pinned to a processor. */
export type ServerName = 'kamailio' | 'viaduct'

export interface ServerSettings {
  readonly port: number
  /** Of taskset: `0`, or `0,1` for two workers on two processors. */
  readonly cpus: string
  readonly workers?: number | undefined
  /** Viaduct: microseconds that wake-ups are put off for, at most; undefined: what it does by itself. */
  readonly moderation?: number | undefined
  readonly engine?: 'dgram' | 'native' | undefined
  /** Another working tree of Viaduct than this one: before and after. */
  readonly checkout?: string | undefined
  /** Viaduct: the compiled build, as users install it; otherwise the sources, which cost a start a second more. */
  readonly isCompiled?: boolean
  /** Options of node for Viaduct: `--cpu-prof`, `--max-semi-space-size=64`. */
  readonly node?: readonly string[]
  /** Viaduct's data directory, to be found again by the next start; undefined: a new one each time. */
  readonly data?: string
  /** Kamailio's private memory in MiB: what it reads from a database goes through it. */
  readonly privateMebibytes?: number
}

export class Server {
  readonly name: ServerName
  readonly pid: number
  readonly #child: ChildProcess
  readonly #log: string
  readonly #exited: Promise<void>

  /** Resolves once it listens; rejects with what it printed if it ends instead. */
  static async start(name: ServerName, scenario: Scenario, settings: ServerSettings): Promise<Server> {
    if (listens(settings.port))
      throw new Error(`port ${settings.port} is taken: something runs there already`)
    const server = new Server(name, scenario, settings)
    try {
      await server.#untilListening(settings.port)
    } catch (error) {
      await server.kill()
      throw error
    }
    return server
  }

  private constructor(name: ServerName, scenario: Scenario, settings: ServerSettings) {
    const folder = serverFolder(name, settings.port)
    mkdirSync(folder, { recursive: true })
    this.name = name
    this.#log = `${folder}log`
    const log = openSync(this.#log, 'w')
    const command = name === 'kamailio' ? kamailioCommand : viaductCommand
    const { argv, environment } = command(scenario, settings, folder)
    this.#child = spawn('taskset', ['-c', settings.cpus, ...argv], {
      stdio: ['ignore', log, log],
      env: { ...process.env, ...environment },
    })
    closeSync(log)
    if (this.#child.pid === undefined) throw new Error('taskset is not installed: apt-get install util-linux')
    this.pid = this.#child.pid
    this.#exited = new Promise((exited) => this.#child.once('exit', () => exited()))
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  get log(): string {
    return readFileSync(this.#log, 'utf8')
  }

  /** What Viaduct says of how it reads and writes UDP: a missing build of its addon must not go unnoticed. */
  get engine(): string | null {
    return /"udp":"([^"]*)"/.exec(this.log)?.[1] ?? null
  }

  /** SIGTERM; whoever is left after fifteen seconds is killed. */
  async stop(): Promise<void> {
    if (!this.isRunning) return
    this.#child.kill('SIGTERM')
    await Promise.race([this.#exited, pause(15)])
    await this.kill()
  }

  /** As a crash would. */
  async kill(): Promise<void> {
    if (!this.isRunning) return
    for (const pid of processTree(this.pid)) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // It has ended by itself meanwhile.
      }
    }
    await this.#exited
  }

  async #untilListening(port: number): Promise<void> {
    const deadline = Date.now() + 180_000
    while (!listens(port)) {
      if (!this.isRunning) throw new Error(`${this.name} ended:\n${this.log.slice(-2_000)}`)
      if (Date.now() > deadline) throw new Error(`${this.name} does not listen on ${port}`)
      await pause(0.005)
    }
  }
}

/** Where a server's log is, and what it writes beside it. */
export function serverFolder(name: ServerName, port: number): string {
  return `${workFolder}${name}-${port}/`
}

export function pause(seconds: number): Promise<void> {
  return new Promise((over) => setTimeout(over, seconds * 1_000))
}

export function isInstalled(program: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

interface Command {
  readonly argv: readonly string[]
  readonly environment?: NodeJS.ProcessEnv
}

/**
 * As fast as it comes: `-x fm -X fm`, because with its packaged default allocator it is up to four times dearer, and 6 GB
 * of shared memory, because with less it answers 500 at saturation.
 */
function kamailioCommand(scenario: Scenario, settings: ServerSettings, folder: string): Command {
  const argv = [
    'kamailio',
    '-DD',
    '-E',
    '-x',
    'fm',
    '-X',
    'fm',
    '-m',
    '6000',
    '-M',
    settings.privateMebibytes ?? 16,
  ]
  argv.push('-w', folder, '-Y', folder, '-P', `${folder}pid`)
  argv.push(...scriptOptions(scenario, settings, folder))
  return { argv: argv.map(String) }
}

function viaductCommand(scenario: Scenario, settings: ServerSettings, folder: string): Command {
  const data = settings.data ?? `${folder}data`
  if (settings.data === undefined) rmSync(data, { recursive: true, force: true })
  const main = mainOf(settings.checkout ?? thisCheckout, settings.isCompiled === true)
  const argv = [process.execPath, ...(settings.node ?? []), main, 'run', '--data', data]
  if (settings.workers !== undefined) argv.push('--workers', String(settings.workers))
  if (settings.moderation !== undefined) argv.push('--moderation', String(settings.moderation))
  argv.push(...scriptOptions(scenario, settings, folder))
  return { argv, environment: settings.engine === undefined ? {} : { VIADUCT_UDP: settings.engine } }
}

function scriptOptions(scenario: Scenario, settings: ServerSettings, folder: string): string[] {
  const defines = {
    PORT: settings.port,
    CHILDREN: settings.workers ?? 1,
    RESULTS: folder,
    ...scenario.defines,
  }
  const options = Object.entries(defines).flatMap(([name, value]) => [
    '-A',
    value === '' ? name : `${name}=${value}`,
  ])
  return ['-f', `${scriptsFolder}${scenario.script}.cfg`, ...options]
}

/** Is anybody bound to this UDP port? */
function listens(port: number): boolean {
  const hexadecimal = port.toString(16).toUpperCase().padStart(4, '0')
  return new RegExp(`^ *\\d+: [0-9A-F]{8}:${hexadecimal} `, 'm').test(readFileSync('/proc/net/udp', 'latin1'))
}
