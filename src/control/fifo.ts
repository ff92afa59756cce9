import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  closeSync,
  constants,
  fstatSync,
  lchownSync,
  lstatSync,
  openSync,
  unlinkSync,
} from 'node:fs'
import { Socket } from 'node:net'
import { join } from 'node:path'
import { limits } from '../limits.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import type { Sink } from './answer.ts'
import { JsonFrames } from './frames.ts'
import { answerCommand, type Parsed, parseCommand } from './json-rpc.ts'
import type { Responder } from './methods.ts'
import { sinkOf } from './session.ts'

/**
 * Kamailio's FIFO for commands (jsonrpcs, kamctl): a request names the FIFO that its answer goes to, by `reply_name`, in
 * a directory of replies. Requests are answered one after another; who does not read his answer gives it up.
 */
export interface FifoOptions {
  readonly path: string
  readonly mode: number
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined
  readonly replyDirectory: string
  /** Answers of one piece are written for people. */
  readonly pretty: boolean
}

interface FifoServices {
  readonly responder: () => Responder
  readonly clock: Clock
  readonly log: Log
}

/** Milliseconds between two looks whether the reader of an answer is there, and how often. */
const replyWaitMilliseconds = 80
const replyTries = 12

/**
 * Serves until what it returns is called, which removes the FIFO.
 *
 * @throws Error that says what to do.
 */
export function openFifo(options: FifoOptions, services: FifoServices): () => void {
  const { path, mode, owner } = options
  removeStale(path)
  try {
    execFileSync('mkfifo', ['-m', '0600', path], { stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8' })
  } catch (cause) {
    throw new Error(`cannot make the FIFO ${path}: ${(cause as { stderr?: string }).stderr?.trim()}`, {
      cause,
    })
  }
  if (owner !== undefined) lchownSync(path, owner.uid, owner.gid)
  chmodSync(path, mode)
  // For reading and writing: with somebody who could write it never ends.
  const descriptor = openSync(path, constants.O_RDWR | constants.O_NONBLOCK | constants.O_NOFOLLOW)
  const stream = new Socket({ fd: descriptor, readable: true, writable: false })
  void serve(stream, options, services)
  return () => {
    stream.destroy()
    try {
      unlinkSync(path)
    } catch {
      // Its directory is not ours any more: the next start puts another in its place.
    }
  }
}

async function serve(stream: Socket, options: FifoOptions, services: FifoServices): Promise<void> {
  let frames = new JsonFrames()
  stream.setEncoding('utf8')
  try {
    for await (const chunk of stream) {
      frames.add(chunk as string)
      for (let text = frames.next(); text !== null; text = frames.next()) {
        await reply(parseCommand(text), options, services)
      }
      if (!frames.isTooLong) continue
      services.log.warn({ fifo: options.path }, 'a command is too long: it is passed over')
      frames = new JsonFrames()
    }
  } catch (error) {
    if (!stream.destroyed) services.log.error({ err: error, fifo: options.path }, 'the FIFO has failed')
  }
}

async function reply(parsed: Parsed, options: FifoOptions, services: FifoServices): Promise<void> {
  const { responder, clock, log } = services
  if (parsed.kind !== 'request') {
    const why = parsed.kind === 'fault' ? parsed.fault.message : 'a batch does not say where its answer goes'
    log.warn({ fifo: options.path }, `a command is passed over: ${why}`)
    return
  }
  const name = parsed.request.replyName
  if (name === null || !isReplyName(name)) {
    log.warn({ fifo: options.path }, 'a command is passed over: its reply_name is no name of a file')
    return
  }
  const descriptor = await openReply(join(options.replyDirectory, name), clock)
  if (descriptor === null) {
    log.warn({ fifo: options.path, name }, 'nobody reads the answer to a command: there is no such FIFO')
    return
  }
  const stream = new Socket({ fd: descriptor, readable: false, writable: true })
  stream.on('error', () => {})
  try {
    const sink = sinkOf(stream, clock)
    await answerCommand(parsed, responder(), options.pretty ? prettyFirst(sink) : sink)
    await ended(stream, clock)
  } catch (error) {
    log.debug({ err: error, name }, 'the answer to a command broke off')
  } finally {
    stream.destroy()
  }
}

/** No way out of the directory, and nothing that hides in it. */
export function isReplyName(name: string): boolean {
  return name.length <= 255 && /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/.test(name)
}

/** The FIFO of an answer, once somebody reads it: whoever else made a file there does not get one. */
async function openReply(path: string, clock: Clock): Promise<number | null> {
  for (let tries = 0; tries < replyTries; tries++) {
    if (tries > 0) await new Promise<void>((next) => clock.schedule(replyWaitMilliseconds, next))
    try {
      const descriptor = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW)
      if (fstatSync(descriptor).isFIFO()) return descriptor
      closeSync(descriptor)
      return null
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code !== 'ENXIO' && code !== 'ENOENT') return null
    }
  }
  return null
}

/** Fulfilled when all is written, or when the time for it is up. */
function ended(stream: Socket, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    const timer = clock.schedule(limits.controlTakeMilliseconds, () => stream.destroy())
    stream.on('close', () => {
      timer.cancel()
      resolve()
    })
    stream.end(() => stream.destroy())
  })
}

/** What fits into one piece is written over several lines; what does not goes as it comes. */
function prettyFirst(sink: Sink): Sink {
  let held = ''
  let isLong = false
  return (piece) => {
    if (isLong) return sink(piece)
    held += piece
    isLong = held.length > limits.controlPieceCharacters
    if (!isLong && !held.endsWith('\n')) return
    return sink(isLong ? held : `${JSON.stringify(JSON.parse(held), null, '\t')}\n`)
  }
}

/** @throws Error if it is something else, or if somebody reads it. */
function removeStale(path: string): void {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found === undefined) return
  if (!found.isFIFO()) throw new Error(`${path} is there and is no FIFO: remove it, or name another file`)
  try {
    closeSync(openSync(path, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENXIO') throw error
    unlinkSync(path)
    return
  }
  throw new Error(`${path} is read by another process: stop it, or name another file`)
}
