import type { MessagePort } from 'node:worker_threads'
import { limits } from '../limits.ts'
import type { Clock, Timer } from '../runtime/clock.ts'
import type { Sink } from './answer.ts'
import { CommandRefused, type Fault } from './fault.ts'
import type { MethodDescription, Responder } from './methods.ts'

/**
 * Commands from the main thread to a worker's. An answer comes in pieces, each when the one before it has been taken, so
 * that back pressure reaches the worker whose table it is.
 *
 *   main thread   call ------> more -> more -> ...
 *   worker              piece -> piece -> ... -> end       (or refused, before any piece; or broken)
 */
export type ToWorker =
  | { readonly kind: 'methods' }
  | {
      readonly kind: 'call'
      readonly id: number
      readonly method: string
      readonly params: readonly unknown[]
    }
  /** The piece has been taken; nobody wants any more. */
  | { readonly kind: 'more' | 'stop'; readonly id: number }

export type FromWorker =
  | { readonly kind: 'methods'; readonly methods: readonly MethodDescription[] }
  | { readonly kind: 'piece'; readonly id: number; readonly text: string }
  | { readonly kind: 'refused'; readonly id: number; readonly fault: Fault }
  | { readonly kind: 'end' | 'broken'; readonly id: number }

/** The worker's end. */
export function answerTunnel(port: MessagePort, responder: Responder): void {
  const waiting = new Map<number, (goOn: boolean) => void>()
  const say = (message: FromWorker) => port.postMessage(message)
  const call = async (id: number, method: string, params: readonly unknown[]): Promise<void> => {
    const sink: Sink = async (text) => {
      say({ kind: 'piece', id, text })
      const goesOn = await new Promise<boolean>((resolve) => waiting.set(id, resolve))
      if (!goesOn) throw new Error('nobody listens any more')
    }
    try {
      await responder.answer(method, params, sink)
      say({ kind: 'end', id })
    } catch (error) {
      if (error instanceof CommandRefused) say({ kind: 'refused', id, fault: error.fault })
      else say({ kind: 'broken', id })
    }
  }
  const settle = (id: number, goesOn: boolean) => {
    const resolve = waiting.get(id)
    waiting.delete(id)
    resolve?.(goesOn)
  }
  port.on('message', (message: ToWorker) => {
    if (message.kind === 'call') void call(message.id, message.method, message.params)
    else if (message.kind === 'methods') say({ kind: 'methods', methods: responder.methods().map(plain) })
    else settle(message.id, message.kind === 'more')
  })
}

/** What can be copied to another thread. */
function plain({ name, doc, params = [], workers = 'any' }: MethodDescription): MethodDescription {
  return { name, doc, params, workers }
}

const died: Fault = { code: 503, message: 'The worker that was to answer has died' }
const silent: Fault = { code: 504, message: 'There was no answer in time' }

/** The main thread's end: what one worker answers. */
export class TunnelledResponder implements Responder {
  #methods: readonly MethodDescription[] = []
  #isOpen = true
  #calls = 0
  #heardMethods = () => {}
  readonly #port: MessagePort
  readonly #clock: Clock
  readonly #underway = new Map<number, Call>()

  constructor(port: MessagePort, clock: Clock) {
    this.#port = port
    this.#clock = clock
    port.on('message', (message: FromWorker) => this.#hear(message))
    port.on('close', () => {
      this.#isOpen = false
      this.#heardMethods()
      for (const call of this.#underway.values()) call.fail(died)
    })
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  /** Asks for the methods: fulfilled when they are known, or never will be. */
  async learn(): Promise<void> {
    if (!this.#isOpen) return
    const heard = new Promise<void>((resolve) => {
      this.#heardMethods = resolve
    })
    this.#say({ kind: 'methods' })
    await heard
  }

  methods(): readonly MethodDescription[] {
    return this.#methods
  }

  method(name: string): MethodDescription | undefined {
    return this.#methods.find((one) => one.name === name)
  }

  async answer(method: string, params: readonly unknown[], sink: Sink): Promise<void> {
    if (!this.#isOpen) throw new CommandRefused(died)
    const id = ++this.#calls
    const call = new Call(sink, this.#clock, (kind) => this.#say({ kind, id }))
    this.#underway.set(id, call)
    this.#say({ kind: 'call', id, method, params })
    try {
      await call.ended
    } finally {
      this.#underway.delete(id)
    }
  }

  #say(message: ToWorker): void {
    if (this.#isOpen) this.#port.postMessage(message)
  }

  #hear(message: FromWorker): void {
    if (message.kind === 'methods') {
      this.#methods = message.methods
      this.#heardMethods()
    } else this.#underway.get(message.id)?.hear(message)
  }
}

/** One answer on its way. */
class Call {
  readonly ended: Promise<void>
  #hasBegun = false
  #timer: Timer
  #end: () => void = () => {}
  #reject: (error: unknown) => void = () => {}
  readonly #sink: Sink
  readonly #clock: Clock
  readonly #say: (kind: 'more' | 'stop') => void

  constructor(sink: Sink, clock: Clock, say: (kind: 'more' | 'stop') => void) {
    this.#sink = sink
    this.#clock = clock
    this.#say = say
    this.ended = new Promise((resolve, reject) => {
      this.#end = resolve
      this.#reject = reject
    })
    this.#timer = this.#inTime()
  }

  hear(message: Exclude<FromWorker, { kind: 'methods' }>): void {
    this.#timer.cancel()
    if (message.kind === 'piece') void this.#take(message.text)
    else if (message.kind === 'end') this.#end()
    else if (message.kind === 'refused') this.fail(message.fault)
    else this.#reject(new Error('a worker broke its answer off'))
  }

  fail(fault: Fault): void {
    this.#timer.cancel()
    this.#reject(this.#hasBegun ? new Error(fault.message) : new CommandRefused(fault))
  }

  async #take(text: string): Promise<void> {
    this.#hasBegun = true
    try {
      await this.#sink(text)
      this.#timer = this.#inTime()
      this.#say('more')
    } catch (error) {
      this.#say('stop')
      this.#reject(error)
    }
  }

  #inTime(): Timer {
    // A little more than the worker gives itself: what it says then is better than silence.
    return this.#clock.schedule(limits.controlAnswerMilliseconds + 1_000, () => {
      this.#say('stop')
      this.fail(silent)
    })
  }
}
