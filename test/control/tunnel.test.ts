import { MessageChannel } from 'node:worker_threads'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { CommandRefused } from '../../src/control/fault.ts'
import { type Method, MethodTable, wholeAnswer } from '../../src/control/methods.ts'
import { answerTunnel } from '../../src/control/tunnel.ts'
import { WorkerResponder } from '../../src/control/worker-responder.ts'
import { limits } from '../../src/limits.ts'
import { simulatedClock } from '../../src/testing/clock.ts'
import { collectingLog } from '../../src/testing/log.ts'

/** Two workers behind their ports, as the main thread sees them. */
describe('commands to several workers', () => {
  let channels: MessageChannel[]
  let clock: ReturnType<typeof simulatedClock>
  let router: WorkerResponder
  let made: number[]

  const methodsOf = (worker: number): Method[] => [
    { name: 'who', doc: 'Which worker.', run: () => worker },
    { name: 'sum', doc: '', workers: 'sum', run: () => ({ count: worker + 1 }) },
    { name: 'rows', doc: '', workers: 'concat', run: () => [worker] },
    { name: 'refuses', doc: '', run: () => Promise.reject(new Error('no')) },
    { name: 'hangs', doc: '', run: () => new Promise(() => {}) },
    {
      name: 'long',
      doc: '',
      *run() {
        for (let i = 0; i < 100_000; i++) {
          made[worker] = i
          yield i
        }
      },
    },
  ]

  beforeEach(async () => {
    clock = simulatedClock()
    made = [0, 0]
    router = new WorkerResponder(clock)
    channels = [0, 1].map((worker) => {
      const channel = new MessageChannel()
      // A clock of their own: they never give up before the main thread does.
      answerTunnel(channel.port2, new MethodTable(methodsOf(worker), simulatedClock(), collectingLog()))
      router.add(worker, channel.port1)
      return channel
    })
    await router.learn()
  })
  afterEach(() => {
    for (const { port1 } of channels) port1.close()
  })

  const ask = (method: string) => wholeAnswer(router, method, []).then((text) => JSON.parse(text))

  /** A worker's death, as the main thread hears of it. */
  const kill = (worker: number) =>
    new Promise<void>((heard) => {
      channels[worker]?.port1.on('close', () => heard())
      channels[worker]?.port2.close()
    })

  test('their methods are known by name', () => {
    expect(router.methods()).toContainEqual({ name: 'who', doc: 'Which worker.', params: [], workers: 'any' })
  })

  test('one answers for all, or all together', async () => {
    expect(await ask('who')).toBe(0)
    expect(await ask('sum')).toEqual({ count: 3 })
    expect(await ask('rows')).toEqual([0, 1])
  })

  test('another answers when one has died, and its successor after that', async () => {
    await kill(0)
    expect(router.living()).toEqual([1])
    expect(await ask('who')).toBe(1)
    expect(await ask('sum')).toEqual({ count: 2 })
    const channel = new MessageChannel()
    channels.push(channel)
    answerTunnel(channel.port2, new MethodTable(methodsOf(0), clock, collectingLog()))
    router.add(0, channel.port1)
    expect(await ask('sum')).toEqual({ count: 3 })
  })

  test.each([
    ['nope', 500, 'Method Not Found'],
    ['refuses', 500, 'no'],
  ])('%s is refused with %i %s', async (method, code, message) => {
    await expect(ask(method)).rejects.toMatchObject({ fault: { code, message } })
  })

  test('a worker that dies over its answer is told of', async () => {
    const answer = ask('hangs')
    const refused = expect(answer).rejects.toMatchObject({ fault: { code: 503 } })
    await kill(0)
    await refused
  })

  test('a worker that says nothing is given up', async () => {
    const refused = expect(ask('hangs')).rejects.toBeInstanceOf(CommandRefused)
    await clock.advance(limits.controlAnswerMilliseconds + 1_000)
    await refused
  })

  test('a long answer waits in the worker until it is taken', async () => {
    const pieces: string[] = []
    let take: () => void = () => {}
    const heard = new Promise<void>((resolve) => {
      const answer = router.answer('long', [], (piece) => {
        pieces.push(piece)
        resolve()
        return new Promise<void>((taken) => {
          take = taken
        })
      })
      // Nobody takes the rest: the test ends before.
      answer.catch(() => {})
    })
    await heard
    const before = made[0]
    await ask('who')
    expect(made[0]).toBe(before)
    take()
    await ask('who')
    await ask('who')
    expect(made[0]).toBeGreaterThan(before ?? 0)
    expect(pieces.length).toBe(2)
  })

  test('a worker stops when nobody listens any more', async () => {
    const answer = router.answer('long', [], () => {
      throw new Error('gone')
    })
    await expect(answer).rejects.toThrow('gone')
    const before = made[0]
    await ask('who')
    expect(made[0]).toBe(before)
    expect(before).toBeLessThan(10_000)
  })
})
