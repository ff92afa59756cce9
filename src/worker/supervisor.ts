import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads'
import { limits } from '../limits.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import type { ListenRequest } from '../transport/socket.ts'
import {
  type FromThread,
  type LoadedByThread,
  RejectedByThread,
  type ServerDescription,
  type ThreadStart,
  type ToThread,
} from './messages.ts'
import { RegionKeeper } from './regions.ts'
import { createLinkMemory } from './shared-link.ts'

/**
 * The main thread of a router with several workers: starts them together, opens them one after the other (the first
 * makes what the store does not have yet), replaces one that dies, and ends them.
 *
 *   load()   all threads start and load the script
 *   bind()   all bind their sockets; nothing is written yet
 *   open()   in turn: store, modules; then all of them serve
 *   stop()   all refuse what is new; when nobody waits for an answer any more, all close
 *
 * A worker that dies takes its transactions with it. The others go on; what it shared with them stays.
 */
export interface SupervisorOptions<Settings> {
  readonly count: number
  /** The file that a worker thread runs. */
  readonly entry: URL
  readonly secret: string
  readonly clockOrigin: number
  readonly settings: Settings
  /** Of V8's old generation, for each thread. */
  readonly heapMebibytes: number
  readonly clock: Clock
  readonly log: Log
  /** Gets a port to each thread that starts, at whose other end the thread answers commands. */
  readonly onThread?: (worker: number, commands: MessagePort) => void
}

/** Milliseconds until a worker is replaced: the first time, and at most. Doubled with each death in a row. */
const firstPauseMs = 100
const longestPauseMs = 10_000
/** A worker that has served for so long is none that dies again and again. */
const soundAfterMs = 60_000

export class Supervisor<Settings> {
  /** Fulfilled when no worker is left and none will be started. */
  readonly allGivenUp: Promise<void>
  /** False once the user has been changed, if a port is one that only root may bind. */
  mayBindAgain = true
  readonly #options: SupervisorOptions<Settings>
  readonly #regions = new RegionKeeper()
  readonly #links
  readonly #threads: (Thread | null)[]
  readonly #deathsInRow: number[]
  readonly #isGivenUp: boolean[]
  #listen: readonly ListenRequest[] = []
  #isStopping = false
  #isServing = false
  #giveUp = () => {}

  constructor(options: SupervisorOptions<Settings>) {
    this.#options = options
    this.#links = createLinkMemory(options.count)
    this.#threads = Array.from({ length: options.count }, () => null)
    this.#deathsInRow = this.#threads.map(() => 0)
    this.#isGivenUp = this.#threads.map(() => false)
    this.allGivenUp = new Promise((resolve) => {
      this.#giveUp = resolve
    })
  }

  /** @throws RejectedByThread if the script has errors. */
  async load(): Promise<LoadedByThread> {
    for (let index = 0; index < this.#options.count; index++) this.#threads[index] = this.#start(index, false)
    const [first] = await Promise.all(this.#living().map((thread) => thread.said('loaded')))
    if (first?.kind !== 'loaded') throw new Error('no worker is left')
    return first
  }

  /** Rejects with the error of the first worker that cannot. */
  async bind(listen: readonly ListenRequest[]): Promise<void> {
    this.#listen = listen
    await Promise.all(this.#living().map((thread) => this.#bind(thread)))
  }

  async open(): Promise<ServerDescription> {
    let description: ServerDescription | null = null
    for (const thread of this.#living()) {
      thread.say({ kind: 'open' })
      const ready = await thread.said('ready')
      if (ready.kind === 'ready') description ??= ready.description
    }
    this.#isServing = true
    for (const thread of this.#living()) thread.serve(this.#options.clock.now())
    if (description === null) throw new Error('no worker is left')
    return description
  }

  async stop(drainMilliseconds: number): Promise<void> {
    this.#isStopping = true
    const living = this.#living()
    for (const thread of living) thread.say({ kind: 'drain', milliseconds: drainMilliseconds })
    // All stay until the last has drained: what meets the wrong one must still find its way.
    await Promise.all(
      living.map((thread) => Promise.race([thread.said('drained'), thread.ended]).catch(() => {})),
    )
    for (const thread of living) thread.say({ kind: 'close' })
    await Promise.all(living.map((thread) => thread.ended))
  }

  /** At once, whatever they do. */
  async abort(): Promise<void> {
    this.#isStopping = true
    await Promise.all(this.#living().map((thread) => thread.terminate()))
  }

  async #bind(thread: Thread): Promise<void> {
    thread.say({ kind: 'bind', listen: this.#listen })
    await thread.said('bound')
  }

  #living(): Thread[] {
    return this.#threads.filter((thread) => thread !== null)
  }

  #start(index: number, isReplacement: boolean): Thread {
    const { entry, secret, clockOrigin, settings, heapMebibytes } = this.#options
    const control = new MessageChannel()
    const regions = new MessageChannel()
    const commands = new MessageChannel()
    const signal = new SharedArrayBuffer(4)
    this.#regions.serve(regions.port1, signal)
    const start: ThreadStart<Settings> = {
      index,
      isReplacement,
      links: this.#links,
      regions: { port: regions.port2, signal, locks: this.#regions.locks },
      control: control.port2,
      commands: commands.port2,
      secret,
      clockOrigin,
      settings,
    }
    const worker = new Worker(entry, {
      workerData: start,
      transferList: [control.port2, regions.port2, commands.port2],
      resourceLimits: { maxOldGenerationSizeMb: heapMebibytes },
      name: `viaduct ${index}`,
    })
    this.#options.onThread?.(index, commands.port1)
    const thread = new Thread(worker, control.port1)
    void thread.ended.then((why) => {
      regions.port1.close()
      commands.port1.close()
      this.#died(index, thread, why)
    })
    return thread
  }

  #died(index: number, thread: Thread, why: string): void {
    const { log, clock } = this.#options
    const held = this.#regions.release(index)
    if (this.#isStopping || !this.#isServing) return
    this.#threads[index] = null
    for (const other of this.#living()) other.say({ kind: 'lost', worker: index })
    const served = thread.servesSince === null ? 0 : clock.now() - thread.servesSince
    const deaths = served > soundAfterMs ? 1 : (this.#deathsInRow[index] ?? 0) + 1
    this.#deathsInRow[index] = deaths
    const pause = Math.min(longestPauseMs, firstPauseMs * 2 ** (deaths - 1))
    const fields = { worker: index, deaths, locksHeld: held }
    if (deaths > limits.workerDeathsMax || !this.mayBindAgain) {
      const because = this.mayBindAgain
        ? `${deaths} times in a row: it is not replaced any more`
        : 'and cannot be replaced: only root may bind its port, and the user was changed (-u): restart the router'
      log.fatal(fields, `worker ${index} died (${why}), ${because}`)
      this.#isGivenUp[index] = true
      if (this.#isGivenUp.every((one) => one)) this.#giveUp()
      return
    }
    log.error(
      fields,
      `worker ${index} died (${why}): its transactions are lost; another takes its place in ${pause} ms`,
    )
    clock.schedule(pause, () => void this.#replace(index))
  }

  async #replace(index: number): Promise<void> {
    if (this.#isStopping) return
    const { log, clock } = this.#options
    const thread = this.#start(index, true)
    this.#threads[index] = thread
    try {
      await thread.said('loaded')
      await this.#bind(thread)
      thread.say({ kind: 'open' })
      await thread.said('ready')
    } catch (error) {
      // Its end is told to #died, which tries again.
      log.error({ worker: index, err: error }, `worker ${index} could not be started again`)
      await thread.terminate()
      return
    }
    thread.serve(clock.now())
    for (const one of this.#living()) if (one !== thread) one.say({ kind: 'regained', worker: index })
    log.info({ worker: index }, `worker ${index} serves again`)
  }
}

/** One thread and the conversation with it. */
class Thread {
  /** Why it ended; never rejects. */
  readonly ended: Promise<string>
  servesSince: number | null = null
  readonly #worker: Worker
  readonly #control: MessagePort
  readonly #heard: FromThread[] = []
  readonly #waiting: {
    kind: FromThread['kind']
    resolve: (said: FromThread) => void
    reject: (why: unknown) => void
  }[] = []

  constructor(worker: Worker, control: MessagePort) {
    this.#worker = worker
    this.#control = control
    control.on('message', (said: FromThread) => this.#hear(said))
    let failure = ''
    worker.on('error', (error) => {
      failure = error instanceof Error ? error.message : String(error)
    })
    this.ended = new Promise((resolve) => {
      worker.on('exit', (code) => {
        control.close()
        const why = failure || `it ended with ${code}`
        for (const { reject } of this.#waiting.splice(0)) reject(new Error(`a worker died: ${why}`))
        resolve(why)
      })
    })
  }

  say(message: ToThread): void {
    this.#control.postMessage(message)
  }

  serve(now: number): void {
    this.servesSince = now
    this.say({ kind: 'serve' })
  }

  /** Rejects with its error if it says `failed`, or if it ends before. */
  async said(kind: FromThread['kind']): Promise<FromThread> {
    const at = this.#heard.findIndex((one) => one.kind === kind || one.kind === 'failed')
    const [heard] = at < 0 ? [] : this.#heard.splice(at, 1)
    if (heard === undefined) {
      return await new Promise((resolve, reject) => this.#waiting.push({ kind, resolve, reject }))
    }
    if (heard.kind === 'failed') throw errorOf(heard)
    return heard
  }

  async terminate(): Promise<void> {
    await this.#worker.terminate()
  }

  #hear(said: FromThread): void {
    const at = this.#waiting.findIndex(({ kind }) => kind === said.kind || said.kind === 'failed')
    const [waiting] = at < 0 ? [] : this.#waiting.splice(at, 1)
    if (waiting === undefined) this.#heard.push(said)
    else if (said.kind === 'failed') waiting.reject(errorOf(said))
    else waiting.resolve(said)
  }
}

function errorOf({ error, diagnostics }: FromThread & { kind: 'failed' }): unknown {
  return diagnostics === null
    ? error
    : new RejectedByThread(error instanceof Error ? error.message : '', diagnostics)
}
