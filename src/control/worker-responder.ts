import type { MessagePort } from 'node:worker_threads'
import type { Clock } from '../runtime/clock.ts'
import { type Sink, writeAnswer } from './answer.ts'
import { CommandRefused, methodNotFound } from './fault.ts'
import { merged } from './merge.ts'
import { type MethodDescription, type Responder, wholeAnswer } from './methods.ts'
import { TunnelledResponder } from './tunnel.ts'

/** All workers of a router, seen from the main thread: one of them answers, or all do and their answers become one. */
export class WorkerResponder implements Responder {
  readonly #clock: Clock
  readonly #workers = new Map<number, TunnelledResponder>()
  #methods: readonly MethodDescription[] = []

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** A worker has started, perhaps in the place of one that died. */
  add(worker: number, port: MessagePort): void {
    this.#workers.set(worker, new TunnelledResponder(port, this.#clock))
  }

  /** Once the workers serve. All of them have the same methods. */
  async learn(): Promise<void> {
    const [first] = this.#living()
    await first?.learn()
    this.#methods = first?.methods() ?? []
  }

  /** Numbers of the workers that live. */
  living(): number[] {
    return [...this.#workers]
      .flatMap(([index, worker]) => (worker.isOpen ? [index] : []))
      .sort((a, b) => a - b)
  }

  methods(): readonly MethodDescription[] {
    return this.#methods
  }

  method(name: string): MethodDescription | undefined {
    return this.#methods.find((one) => one.name === name)
  }

  async answer(name: string, params: readonly unknown[], sink: Sink): Promise<void> {
    const method = this.method(name)
    const living = this.#living()
    const [first] = living
    if (method === undefined || first === undefined) throw new CommandRefused(methodNotFound)
    const { workers = 'any' } = method
    if (workers === 'any' || living.length === 1) return await first.answer(name, params, sink)
    const answers = await Promise.all(living.map((worker) => wholeAnswer(worker, name, params)))
    await writeAnswer(
      merged(
        answers.map((text) => JSON.parse(text)),
        workers,
      ),
      sink,
    )
  }

  #living(): TunnelledResponder[] {
    return this.living().flatMap((index) => this.#workers.get(index) ?? [])
  }
}
