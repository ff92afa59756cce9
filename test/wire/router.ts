import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type Host, type Lab, mainPath, nodePath, type Process, projectRoot } from './lab.ts'
import { freePort } from './oracle.ts'

/** A Viaduct process of a test's own, on loopback or in a namespace of a lab. */
export interface Router {
  readonly address: string
  readonly port: number
  readonly process: Process
  logLines(): { level: string; msg: string; [field: string]: unknown }[]
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>
  /** SIGKILL, as a crash would. */
  kill(): Promise<void>
}

export interface RouterOptions {
  host?: Host
  address?: string
  port?: number
  defines?: Readonly<Record<string, string | number>>
  /** The same directory again after a crash. */
  data?: string
  /** More options of `viaduct run`. */
  args?: readonly string[]
  /** Beside our own environment. VIADUCT_WORKERS runs every test with so many workers (test/README.md). */
  env?: NodeJS.ProcessEnv
  /** What starts it instead of Node.js itself, such as `unshare -m sh -c '...; exec "$@"' sh`. */
  wrapper?: readonly string[]
}

/** Where scripts/location.cfg sends what nobody is to answer. */
const blackHolePort = 29_009

export async function startRouter(lab: Lab, script: string, options: RouterOptions = {}): Promise<Router> {
  const address = options.address ?? '127.0.0.1'
  const port = options.port ?? freePort()
  const data = options.data ?? join(lab.directory, `data-${port}-${Object.keys(options).length}`)
  mkdirSync(data, { recursive: true })
  const defines = Object.entries(options.defines ?? {}).flatMap(([name, value]) => ['-A', `${name}=${value}`])
  const args = [
    mainPath,
    'run',
    '-f',
    resolve(projectRoot, script),
    '-l',
    `udp:${address}:${port}`,
    '--data',
    data,
    ...defines,
    ...(options.args ?? []),
  ]
  lab.blackHole(blackHolePort)
  const [program = nodePath, ...words] = [...(options.wrapper ?? []), nodePath]
  const process = lab.start(options.host ?? null, program, [...words, ...args], {
    ...(options.env && { env: options.env }),
  })
  await Promise.race([
    process.prints(/ runs .* on udp:/, 20),
    process.exited.then((code) => ended(process, code)),
  ])
  return {
    address,
    port,
    process,
    logLines: () =>
      process.output
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line)),
    async stop() {
      process.signal('SIGTERM')
      return await process.exited
    },
    async kill() {
      process.signal('SIGKILL')
      await process.exited
    },
  }
}

async function ended(process: Process, code: number | null): Promise<never> {
  // What it said last may still be in the pipe.
  await new Promise((next) => setTimeout(next, 50))
  throw new Error(`the router ended with ${code}:\n${process.output}`)
}
