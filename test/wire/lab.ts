import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { createSocket, type Socket } from 'node:dgram'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** Part of every namespace's name, so that two labs of one process do not meet. */
let labsMade = 0

/**
 * Real hosts on one machine: network namespaces joined by veth pairs, a carrier's NAT made of nftables masquerade
 * and conntrack, and processes in them. Everything a lab made is gone after `close()`; it ends only what it started.
 */
export class Lab {
  readonly directory = mkdtempSync(join(tmpdir(), 'viaduct-lab-'))
  readonly #namespaces: string[] = []
  readonly #holes: Socket[] = []
  readonly #processes = new Set<ChildProcess>()
  readonly #prefix = `vd${process.pid.toString(36)}${labsMade++}`

  /** A host of its own, loopback up. */
  host(name: string): Host {
    const namespace = `${this.#prefix}${name}`
    command('ip', ['netns', 'add', namespace])
    this.#namespaces.push(namespace)
    const host = new Host(this, namespace)
    host.execute('ip', ['link', 'set', 'lo', 'up'])
    return host
  }

  /** A cable between two hosts, each end with an address such as `10.0.0.1/24`. */
  cable(a: Host, aAddress: string, b: Host, bAddress: string): { a: string; b: string } {
    const [left, right] = [a.nextInterface(), b.nextInterface()]
    command('ip', [
      'link',
      'add',
      left,
      'netns',
      a.namespace,
      'type',
      'veth',
      'peer',
      'name',
      right,
      'netns',
      b.namespace,
    ])
    for (const [host, name, address] of [
      [a, left, aAddress],
      [b, right, bAddress],
    ] as const) {
      host.execute('ip', [
        'address',
        'add',
        address,
        'dev',
        name,
        ...(address.includes(':') ? ['nodad'] : []),
      ])
      host.execute('ip', ['link', 'set', name, 'up'])
    }
    return { a: left, b: right }
  }

  /** A port of 127.0.0.1 that takes what it is sent and never answers, as an unused one does not: that has ICMP. */
  blackHole(port: number): void {
    const hole = createSocket({ type: 'udp4', reuseAddr: true }).unref()
    hole.bind(port, '127.0.0.1')
    this.#holes.push(hole)
  }

  /** Starts a process, in a namespace if `host` is given. */
  start(
    host: Host | null,
    file: string,
    args: readonly string[],
    options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
  ): Process {
    const argv = host ? ['netns', 'exec', host.namespace, file, ...args] : args
    const child = spawn(host ? 'ip' : file, argv, {
      stdio: ['pipe', 'pipe', 'pipe'],
      cwd: options.cwd ?? projectRoot,
      env: { ...process.env, ...options.env },
    })
    this.#processes.add(child)
    child.on('exit', () => this.#processes.delete(child))
    return new Process(child)
  }

  async close(): Promise<void> {
    const ended = [...this.#processes].map(
      (child) =>
        new Promise<void>((done) => (child.exitCode === null ? child.on('exit', () => done()) : done())),
    )
    for (const child of this.#processes) child.kill('SIGKILL')
    await Promise.all(ended)
    for (const hole of this.#holes.splice(0)) hole.close()
    for (const namespace of this.#namespaces) {
      try {
        command('ip', ['netns', 'delete', namespace])
      } catch {
        // Gone already, or never finished: nothing to undo.
      }
    }
    rmSync(this.directory, { recursive: true, force: true })
  }
}

export class Host {
  readonly namespace: string
  readonly #lab: Lab
  #interfaces = 0

  constructor(lab: Lab, namespace: string) {
    this.#lab = lab
    this.namespace = namespace
  }

  execute(file: string, args: readonly string[]): string {
    return command('ip', ['netns', 'exec', this.namespace, file, ...args])
  }

  nextInterface(): string {
    return `eth${this.#interfaces++}`
  }

  route(prefix: string, via: string): void {
    this.execute('ip', ['route', 'add', prefix, 'via', via])
  }

  setting(name: string, value: string | number): void {
    this.execute('sysctl', ['-qw', `${name}=${value}`])
  }

  /** Masquerades what leaves through `outside`, and forgets a UDP mapping after so many seconds of silence. */
  becomeNat(outside: string, mappingSeconds: number): void {
    this.setting('net.ipv4.ip_forward', 1)
    this.execute('nft', ['add', 'table', 'ip', 'nat'])
    this.execute('nft', ['add', 'chain', 'ip', 'nat', 'post', '{ type nat hook postrouting priority 100 ; }'])
    this.execute('nft', ['add', 'rule', 'ip', 'nat', 'post', 'oifname', outside, 'masquerade', 'random'])
    this.setting('net.netfilter.nf_conntrack_udp_timeout', mappingSeconds)
    this.setting('net.netfilter.nf_conntrack_udp_timeout_stream', mappingSeconds)
  }

  async peer(address: string, port: number): Promise<UdpPeer> {
    const process = this.#lab.start(this, nodePath, [
      fileURLToPath(new URL('./udp-peer.ts', import.meta.url)),
      address,
      String(port),
    ])
    const peer = new UdpPeer(process)
    await peer.bound
    return peer
  }
}

/** Everything a process printed, and waiting for what it will print. */
export class Process {
  readonly child: ChildProcess
  readonly exited: Promise<number | null>
  output = ''
  readonly #waiting = new Set<() => void>()

  constructor(child: ChildProcess) {
    this.child = child
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (bytes: Buffer) => {
        this.output += bytes.toString('latin1')
        for (const look of this.#waiting) look()
      })
    }
    this.exited = new Promise((done) => child.on('exit', (code) => done(code)))
  }

  /** Resolves with the match once the output so far matches; rejects after `seconds` with all that was printed. */
  async prints(pattern: RegExp, seconds = 10): Promise<RegExpExecArray> {
    return await waitFor(
      () => pattern.exec(this.output),
      this.#waiting,
      seconds,
      () => `no ${pattern} in:\n${this.output}`,
    )
  }

  signal(name: NodeJS.Signals): void {
    this.child.kill(name)
  }
}

export interface Datagram {
  text: string
  address: string
  port: number
}

export class UdpPeer {
  readonly received: Datagram[] = []
  readonly bound: Promise<number>
  readonly #process: Process
  readonly #waiting = new Set<() => void>()
  #read = 0

  constructor(process: Process) {
    this.#process = process
    let bound: (port: number) => void
    this.bound = new Promise((done) => (bound = done))
    createInterface({ input: process.child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
      const event = JSON.parse(line) as { event: string; port: number } & Datagram
      if (event.event === 'bound') bound(event.port)
      if (event.event === 'received') this.received.push(event)
      for (const look of this.#waiting) look()
    })
  }

  send(text: string, address: string, port: number): void {
    this.#process.child.stdin?.write(`${JSON.stringify({ text: crlf(text), address, port })}\n`)
  }

  /** The next datagram that nobody asked for yet and whose text matches; earlier ones that do not are skipped. */
  async receives(pattern: RegExp, seconds = 5): Promise<Datagram> {
    return await waitFor(
      () => {
        for (; this.#read < this.received.length; this.#read++) {
          const datagram = this.received[this.#read]
          if (datagram && pattern.test(datagram.text)) {
            this.#read++
            return datagram
          }
        }
        return null
      },
      this.#waiting,
      seconds,
      () => `no ${pattern} among:\n${this.received.map((datagram) => datagram.text).join('\n---\n')}`,
    )
  }

  /** Rejects if something that matches arrives within so many seconds. */
  async receivesNothing(pattern: RegExp, seconds: number): Promise<void> {
    const datagram = await this.receives(pattern, seconds).catch(() => null)
    if (datagram) throw new Error(`expected nothing like ${pattern}, received:\n${datagram.text}`)
  }

  close(): void {
    this.#process.child.stdin?.end()
  }
}

export const projectRoot = fileURLToPath(new URL('../..', import.meta.url))
export const nodePath = process.execPath
export const mainPath = join(projectRoot, 'src/main.ts')

/** Template literals have bare line feeds; SIP has CRLF. */
export function crlf(text: string): string {
  return text.replace(/\r?\n/g, '\r\n')
}

/** True if a program is installed: peers that are missing fail their test with a line that says what to install. */
export function requireProgram(name: string, packageName: string): void {
  try {
    command('sh', ['-c', `command -v ${name}`])
  } catch {
    throw new Error(`${name} is not installed: apt-get install ${packageName}`)
  }
}

function command(file: string, args: readonly string[]): string {
  return execFileSync(file, args, { encoding: 'latin1', stdio: ['ignore', 'pipe', 'pipe'] })
}

function waitFor<T>(
  look: () => T | null,
  waiting: Set<() => void>,
  seconds: number,
  complaint: () => string,
): Promise<T> {
  return new Promise((done, fail) => {
    const timer = setTimeout(() => {
      waiting.delete(check)
      fail(new Error(`after ${seconds} s ${complaint()}`))
    }, seconds * 1000)
    const check = () => {
      const found = look()
      if (found === null) return
      clearTimeout(timer)
      waiting.delete(check)
      done(found)
    }
    waiting.add(check)
    check()
  })
}
