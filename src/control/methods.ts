import { limits } from '../limits.ts'
import type { RpcDeclaration } from '../plugin/plugin.ts'
import { RpcFault } from '../plugin/rpc-fault.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import { type Sink, writeAnswer } from './answer.ts'
import { CommandRefused, type Fault, methodNotFound } from './fault.ts'
import { octets } from './octets.ts'

/** What can be asked for by name, and who answers: the router of this thread, the process, or its workers. */
export interface MethodDescription extends RpcDeclaration {
  readonly name: string
}

export interface Method extends MethodDescription {
  run(params: readonly unknown[]): unknown
}

export interface Responder {
  /** In the order of their names. */
  methods(): readonly MethodDescription[]
  /** Undefined if there is none of that name. */
  method(name: string): MethodDescription | undefined
  /**
   * Writes the answer, in JSON, to the sink.
   *
   * @throws CommandRefused if there is none; then the sink has got nothing.
   */
  answer(name: string, params: readonly unknown[], sink: Sink): Promise<void>
}

/** What the methods of this thread answer. */
export class MethodTable implements Responder {
  readonly #methods: ReadonlyMap<string, Method>
  readonly #clock: Clock
  readonly #log: Log

  constructor(methods: Iterable<Method>, clock: Clock, log: Log) {
    this.#methods = new Map([...methods].map((method) => [method.name, method]))
    this.#clock = clock
    this.#log = log
  }

  methods(): readonly MethodDescription[] {
    return inOrder([...this.#methods.values()])
  }

  method(name: string): MethodDescription | undefined {
    return this.#methods.get(name)
  }

  async answer(name: string, params: readonly unknown[], sink: Sink): Promise<void> {
    const method = this.#methods.get(name)
    if (method === undefined) throw new CommandRefused(methodNotFound)
    let hasBegun = false
    const begin: Sink = (piece) => {
      hasBegun = true
      return sink(piece)
    }
    try {
      const given = params.map((param) => (typeof param === 'string' ? octets(param) : param))
      await writeAnswer(await this.#inTime(() => method.run(given)), begin)
    } catch (error) {
      if (hasBegun) throw error
      throw new CommandRefused(this.#faultOf(error, name))
    }
  }

  /** A method that waits for what never comes is answered all the same, and forgotten. */
  async #inTime(run: () => unknown): Promise<unknown> {
    let timer: { cancel(): void } | null = null
    const tooLate = new Promise<never>((_, reject) => {
      timer = this.#clock.schedule(limits.controlAnswerMilliseconds, () =>
        reject(new RpcFault(504, 'There was no answer in time')),
      )
    })
    try {
      return await Promise.race([run(), tooLate])
    } finally {
      ;(timer as { cancel(): void } | null)?.cancel()
    }
  }

  #faultOf(error: unknown, method: string): Fault {
    if (error instanceof RpcFault) return { code: error.code, message: error.message }
    if (error instanceof Error && !isDefect(error)) return { code: 500, message: error.message }
    this.#log.error({ err: error, method }, `the command ${method} met a defect of ours or of a module`)
    return { code: 500, message: 'Internal error: the log of the router has it' }
  }
}

/** What a method refuses it says with an Error proper; these are thrown by the language. */
function isDefect(error: Error): boolean {
  return (
    error instanceof TypeError ||
    error instanceof RangeError ||
    error instanceof ReferenceError ||
    error instanceof SyntaxError
  )
}

export function inOrder<M extends MethodDescription>(methods: readonly M[]): M[] {
  return [...methods].sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** Several answer, each what it has; of two that have the same name, the first. */
export class Responders implements Responder {
  readonly #responders: readonly Responder[]

  constructor(responders: readonly Responder[]) {
    this.#responders = responders
  }

  methods(): readonly MethodDescription[] {
    const all = new Map<string, MethodDescription>()
    for (const responder of this.#responders.toReversed()) {
      for (const method of responder.methods()) all.set(method.name, method)
    }
    return inOrder([...all.values()])
  }

  method(name: string): MethodDescription | undefined {
    return this.#responderOf(name)?.method(name)
  }

  async answer(name: string, params: readonly unknown[], sink: Sink): Promise<void> {
    const responder = this.#responderOf(name)
    if (responder === undefined) throw new CommandRefused(methodNotFound)
    await responder.answer(name, params, sink)
  }

  #responderOf(name: string): Responder | undefined {
    return this.#responders.find((one) => one.method(name) !== undefined)
  }
}

const tooLong: Fault = { code: 500, message: 'The answer is too long for one packet: ask with viaduct ctl' }

/** @throws CommandRefused also for an answer that is too long to be one text. */
export async function wholeAnswer(
  responder: Responder,
  method: string,
  params: readonly unknown[],
): Promise<string> {
  let text = ''
  await responder.answer(method, params, (piece) => {
    text += piece
    if (text.length > limits.controlMergedCharactersMax) throw new CommandRefused(tooLong)
  })
  return text
}
