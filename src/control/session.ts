import type { Duplex } from 'node:stream'
import { limits } from '../limits.ts'
import type { Clock, Timer } from '../runtime/clock.ts'
import { invalidRequest } from './fault.ts'
import { JsonFrames } from './frames.ts'
import { answerCommand, faultText, parseCommand } from './json-rpc.ts'
import type { Responder } from './methods.ts'

/**
 * One connection: a request, its answer, the next request. Nothing is read while an answer is under way, so that who
 * sends without reading is held up by his own kernel, and one connection has one request at work.
 *
 * Never rejects. The stream is closed when this is fulfilled: by whoever connected, after an answer that broke off, or
 * because he took too long over a request, over taking an answer, or over doing nothing.
 */
export async function serveSession(
  stream: Duplex,
  responder: Responder,
  clock: Clock,
  onBroken: (error: unknown) => void,
): Promise<void> {
  const frames = new JsonFrames()
  const deadline = new Deadline(stream, clock)
  const sink = sinkOf(stream, clock)
  stream.on('error', () => {})
  stream.setEncoding('utf8')
  const answer = async (text: string): Promise<void> => {
    deadline.none()
    await answerCommand(parseCommand(text), responder, sink)
  }
  try {
    deadline.set(limits.controlIdleMilliseconds)
    for await (const chunk of chunksOf(stream)) {
      const wasEmpty = frames.isEmpty
      frames.add(chunk as string)
      for (let text = frames.next(); text !== null; text = frames.next()) await answer(text)
      if (frames.isTooLong) {
        stream.write(`${faultText(invalidRequest('it is too long'), null)}\n`)
        return await hangUp(stream, deadline)
      }
      if (frames.isEmpty) deadline.set(limits.controlIdleMilliseconds)
      else if (wasEmpty || deadline.isNone) deadline.set(limits.controlRequestMilliseconds)
    }
    const rest = frames.rest()
    if (rest !== null) await answer(rest)
    stream.end()
  } catch (error) {
    if (!stream.destroyed) onBroken(error)
    stream.destroy()
  } finally {
    deadline.none()
  }
}

/** The stream stays open when the loop is left: an answer may still be on its way. */
export function chunksOf(stream: Duplex): AsyncIterable<unknown> {
  return stream.iterator({ destroyOnReturn: false })
}

/** The last word has been written: what still comes is thrown away until the other end has read it, or for some time. */
export async function hangUp(stream: Duplex, deadline: Deadline): Promise<void> {
  deadline.set(limits.controlRequestMilliseconds)
  const closed = new Promise<void>((resolve) => stream.on('close', () => resolve()))
  stream.end()
  stream.resume()
  await closed
}

/** Ends a stream whose time is up. */
export class Deadline {
  #timer: Timer | null = null
  readonly #stream: Duplex
  readonly #clock: Clock

  constructor(stream: Duplex, clock: Clock) {
    this.#stream = stream
    this.#clock = clock
  }

  get isNone(): boolean {
    return this.#timer === null
  }

  set(milliseconds: number): void {
    this.none()
    this.#timer = this.#clock.schedule(milliseconds, () => this.#stream.destroy())
  }

  none(): void {
    this.#timer?.cancel()
    this.#timer = null
  }
}

/** Writes; fulfilled when there is room for more. Rejects when the stream is closed, also for want of a reader. */
export function sinkOf<Piece extends string | Buffer = string>(
  target: Duplex,
  clock: Clock,
): (piece: Piece) => Promise<void> | void {
  return (piece) => {
    if (target.destroyed) throw new Error('nobody listens any more')
    if (target.write(piece)) return
    return new Promise((resolve, reject) => {
      const timer = clock.schedule(limits.controlTakeMilliseconds, () => target.destroy())
      const settle = (then: () => void) => {
        timer.cancel()
        target.off('drain', drained)
        target.off('close', closed)
        then()
      }
      const drained = () => settle(resolve)
      const closed = () => settle(() => reject(new Error('nobody listens any more')))
      target.on('drain', drained)
      target.on('close', closed)
    })
  }
}
