import { execFile } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Lab, type Process, requireProgram } from './lab.ts'

/** A Redis of a test's own: a port of loopback, a directory in the lab, nothing written unless the test says so. */
export class RedisServer {
  readonly port: number
  readonly directory: string
  readonly #lab: Lab
  readonly settings: readonly string[]
  process: Process

  constructor(lab: Lab, port: number, directory: string, settings: readonly string[]) {
    this.#lab = lab
    this.port = port
    this.directory = directory
    this.settings = settings
    this.process = this.#start([])
  }

  /** After a kill, on the same port and in the same directory. */
  async restart(settings: readonly string[] = [], until = /Ready to accept connections/): Promise<void> {
    await this.process.exited
    this.process = this.#start(settings)
    await this.process.prints(until)
  }

  async kill(): Promise<void> {
    this.process.signal('SIGKILL')
    await this.process.exited
  }

  /** What redis-cli prints; rejects if it fails. */
  async cli(...args: readonly string[]): Promise<string> {
    return await redisCli('-p', String(this.port), ...args)
  }

  /** One number of INFO. */
  async info(field: string): Promise<number> {
    return Number(new RegExp(`^${field}:(\\d+)`, 'm').exec(await this.cli('INFO'))?.[1])
  }

  #start(settings: readonly string[]): Process {
    return this.#lab.start(null, 'redis-server', [
      ...['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.directory],
      ...[
        '--save',
        '',
        '--appendonly',
        'no',
        '--enable-debug-command',
        'yes',
        '--repl-diskless-sync-delay',
        '0',
      ],
      ...this.settings,
      ...settings,
    ])
  }
}

export async function startRedis(lab: Lab, settings: readonly string[] = []): Promise<RedisServer> {
  requireProgram('redis-server', 'redis-server')
  const port = await freePort()
  const directory = join(lab.directory, `redis-${port}`)
  mkdirSync(directory)
  const server = new RedisServer(lab, port, directory, settings)
  await server.process.prints(/Ready to accept connections/)
  return server
}

export async function redisCli(...args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)('redis-cli', [...args], { timeout: 10_000 })
  return stdout.trim()
}

/** A port of loopback that nobody uses now; below 55,536, since a cluster adds 10,000. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = await new Promise<number>((resolve, reject) => {
      const server = createServer().once('error', reject)
      server.listen(0, '127.0.0.1', () => {
        const address = server.address()
        server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
      })
    })
    if (port < 55_536) return port
  }
}
