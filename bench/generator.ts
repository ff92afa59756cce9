import { execFile, execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

/**
 * The load generator, sipgen.c: both ends of the traffic in one thread, on a processor of its own, spinning: a generator
 * that sleeps between two requests adds wake-ups of its own to what the server is charged for.
 */
export interface Load {
  /** What to play: options of sipgen.c. */
  readonly play: readonly string[]
  readonly requests: number
  /** Requests a second, evenly spaced; `sat`: a closed loop with `inFlight` of them. */
  readonly rate: Rate
  readonly inFlight?: number
  readonly users: number
  /** Ends after this long, whatever is left. */
  readonly secondsMax?: number
}

export type Rate = number | 'sat'

/** Where the server is, and what the generator may use itself. */
export interface Stand {
  readonly serverPort: number
  /** Requests come from ports from here on. */
  readonly callerPort: number
  /** Where the server forwards to, and what is registered. */
  readonly calleePort: number
  readonly cpu: string
  /** Eight if not said otherwise. */
  readonly callerSockets?: number
  /** Leaves its processor to others while there is nothing to do. */
  readonly sleeps?: boolean
}

export interface Report {
  readonly sent: number
  readonly ok: number
  /** Answered with an error, or not at all within 7.5 s of retransmissions. */
  readonly failed: number
  readonly retransmissions: number
  readonly elapsedSeconds: number
  /** Of the generator's own. */
  readonly cpuSeconds: number
  readonly perSecond: number
  readonly p50Microseconds: number
  readonly p99Microseconds: number
  readonly codes: Readonly<Record<string, number>>
}

export const workFolder = fileURLToPath(new URL('./.work/', import.meta.url))
const source = fileURLToPath(new URL('./sipgen.c', import.meta.url))
export const program = `${workFolder}sipgen`

/** More of them in flight than fit into a second at saturation only make the queue longer. */
const inFlightDefault = 128
const callerSocketsDefault = 8

export async function generate(stand: Stand, load: Load): Promise<Report> {
  compiled()
  const pace = load.rate === 'sat' ? ['-r', 0, '-w', load.inFlight ?? inFlightDefault] : ['-r', load.rate]
  const args: (string | number)[] = [
    '-c',
    stand.cpu,
    program,
    '-s',
    `127.0.0.1:${stand.serverPort}`,
    '-u',
    stand.callerPort,
  ]
  args.push('-S', stand.callerSockets ?? callerSocketsDefault, '-U', stand.calleePort)
  args.push('-P', stand.sleeps === true ? 1 : 0, '-n', load.requests, '-k', load.users)
  args.push(...load.play, ...pace, '-T', load.secondsMax ?? 600)
  const played = promisify(execFile)('taskset', args.map(String), { encoding: 'latin1' })
  const { stdout } = await played.catch((error) => {
    throw new Error(`sipgen: ${error.stderr.trim() || error.message}`)
  })
  return JSON.parse(stdout)
}

let isCompiled = false

/** gcc on first use, and again when the source has changed. */
export function compiled(): void {
  if (isCompiled) return
  isCompiled = true
  if (existsSync(program) && statSync(program).mtimeMs > statSync(source).mtimeMs) return
  mkdirSync(workFolder, { recursive: true })
  try {
    execFileSync('gcc', ['-O2', '-Wall', '-Wextra', '-o', program, source], { stdio: 'pipe' })
  } catch (cause) {
    const isMissing = (cause as NodeJS.ErrnoException).code === 'ENOENT'
    throw new Error(isMissing ? 'the generator needs gcc: apt-get install gcc libc6-dev' : String(cause), {
      cause,
    })
  }
}
