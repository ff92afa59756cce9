import { Duplex } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { type Method, MethodTable } from '../../src/control/methods.ts'
import { serveSession } from '../../src/control/session.ts'
import { limits } from '../../src/limits.ts'
import { RpcFault } from '../../src/plugin/rpc-fault.ts'
import { simulatedClock } from '../../src/testing/clock.ts'
import { collectingLog } from '../../src/testing/log.ts'

/** One connection to a router with these methods, on streams in memory. */
function connection(methods: Partial<Method>[] = []) {
  const clock = simulatedClock()
  const log = collectingLog()
  const asked: unknown[][] = []
  const known: Method[] = [
    { name: 'echo', doc: '', run: (params) => [...params] },
    {
      name: 'named',
      doc: '',
      params: [
        { name: 'a', doc: '' },
        { name: 'b', doc: '', optional: true },
      ],
      run(params) {
        asked.push([...params])
        return 'ok'
      },
    },
    {
      name: 'refuses',
      doc: '',
      run() {
        throw new RpcFault(404, 'Variable not found')
      },
    },
    {
      name: 'fails',
      doc: '',
      run: () => Promise.reject(new Error('No such htable')),
    },
    {
      name: 'is broken',
      doc: '',
      run() {
        throw new TypeError('x is undefined')
      },
    },
    { name: 'hangs', doc: '', run: () => new Promise(() => {}) },
    ...methods.map((method) => ({ name: '', doc: '', run: () => null, ...method })),
  ]
  const [ours, theirs] = pair()
  const broken: unknown[] = []
  const ended = serveSession(ours, new MethodTable(known, clock, log), clock, (error) => broken.push(error))
  let received = ''
  return {
    clock,
    log,
    asked,
    broken,
    ended,
    ours,
    theirs,
    send: (text: string) => void theirs.write(text),
    /** What came until now, once everything that is under way has ended or waits for time. */
    async received(): Promise<string> {
      await turns()
      received += theirs.read() ?? ''
      return received
    },
    /** What they answered, in order. */
    async answers(): Promise<unknown[]> {
      const text = await this.received()
      return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)]))
    },
  }
}

/** Enough rounds of the loop for whatever waits for nothing but the other end. */
async function turns(): Promise<void> {
  for (let i = 0; i < 30; i++) await new Promise<void>((next) => setImmediate(next))
}

/** Two ends that hold 1 KiB each: what one writes the other reads. */
function pair(): [Duplex, Duplex] {
  const make = (): Duplex & { other?: Duplex; taken?: (() => void) | undefined } =>
    new Duplex({
      highWaterMark: 1_024,
      read() {
        const { other } = this as ReturnType<typeof make>
        const peer = other as ReturnType<typeof make>
        const { taken } = peer
        peer.taken = undefined
        taken?.()
      },
      write(chunk, _encoding, done) {
        const self = this as ReturnType<typeof make>
        if (self.other?.push(chunk) === true) done()
        else self.taken = done
      },
      final(done) {
        ;(this as ReturnType<typeof make>).other?.push(null)
        done()
      },
    })
  const [a, b] = [make(), make()]
  a.other = b
  b.other = a
  b.setEncoding('utf8')
  return [a, b]
}

const request = (method: unknown, params?: unknown, id: unknown = 1) =>
  `${JSON.stringify({ jsonrpc: '2.0', method, params, id })}\n`

describe('a request and its answer', () => {
  test.each([
    ['by place', request('echo', ['a', 1]), { jsonrpc: '2.0', result: ['a', 1], id: 1 }],
    ['an id that is a text', request('echo', [], 'x'), { jsonrpc: '2.0', result: [], id: 'x' }],
    ['no id: answered all the same', '{"jsonrpc":"2.0","method":"echo"}\n', { jsonrpc: '2.0', result: [] }],
    ['names that are not declared count in their order', request('echo', { x: 1, y: 2 }), { result: [1, 2] }],
    ['a method that is none', request('nope'), { error: { code: 500, message: 'Method Not Found' } }],
    ['a name that objects have', request('toString'), { error: { code: 500 } }],
    ['a refusal with a code', request('refuses'), { error: { code: 404, message: 'Variable not found' } }],
    ['a refusal', request('fails'), { error: { code: 500, message: 'No such htable' } }],
    ['a defect says nothing of itself', request('is broken'), { error: { code: 500, message: /Internal/ } }],
    ['no JSON', 'nonsense\n', { error: { code: -32700 }, id: null }],
    ['another version', '{"jsonrpc":"1.0","method":"echo","id":1}\n', { error: { code: -32600 }, id: 1 }],
    ['a method that is no name', request(7), { error: { code: -32600 }, id: 1 }],
    ['an id that is an object', request('echo', [], {}), { error: { code: -32600 }, id: null }],
    ['a number for parameters', request('echo', 7), { error: { code: -32602 }, id: 1 }],
    ['a structure for a parameter', request('echo', [{ a: 1 }]), { error: { code: -32602 } }],
    ['too many parameters', request('echo', new Array(65).fill(1)), { error: { code: -32602 } }],
    [
      'a name that is not declared beside one that is',
      request('named', { a: 1, z: 2 }),
      { error: { code: -32602 } },
    ],
    ['an empty batch', '[]\n', { error: { code: -32600 } }],
    ['a batch that is too long', `${JSON.stringify(new Array(65).fill(1))}\n`, { error: { code: -32600 } }],
  ])('%s', async (_, text, expected) => {
    const { send, ...at } = connection()
    send(text)
    const [answer] = await at.answers()
    const { error } = expected as { error?: { message?: unknown } }
    if (error?.message instanceof RegExp) {
      expect(answer).toMatchObject({ error: { message: expect.stringMatching(error.message) } })
      expect(at.log.messages('error')).toHaveLength(1)
    } else expect(answer).toMatchObject(expected)
  })

  test('parameters by name come in the order of the declaration', async () => {
    const { send, asked, ...at } = connection()
    send(request('named', { b: 2, a: 1 }))
    send(request('named', { b: 2 }))
    send(request('named', { a: 'é' }))
    expect(await at.answers()).toHaveLength(3)
    expect(asked).toEqual([[1, 2], [undefined, 2], ['\xc3\xa9']])
  })

  test('several at once are answered in their order, a batch in one array', async () => {
    const { send, ...at } = connection()
    send(request('echo', ['1']) + request('refuses', [], 2) + request('echo', ['3'], 3))
    send(`[${request('echo', ['4'], 4)},${request('nope', [], 5)},7]\n`)
    const [first, second, third, batch] = await at.answers()
    expect([first, second, third]).toMatchObject([{ result: ['1'] }, { id: 2 }, { id: 3 }])
    expect(batch).toMatchObject([{ id: 4 }, { id: 5, error: { code: 500 } }, { error: { code: -32600 } }])
  })

  test('who says that he will send no more is answered before it ends', async () => {
    const { theirs, ended, ...at } = connection()
    theirs.end('{"jsonrpc":"2.0","method":"echo","id":1}')
    expect(await at.answers()).toMatchObject([{ id: 1 }])
    await ended
  })
})

describe('bounds', () => {
  test('a request that is too long is refused, and the connection ends', async () => {
    const { theirs, ended, ours, clock, ...at } = connection()
    for (let i = 0; i < 300; i++) theirs.write(`${i === 0 ? '{"a":"' : ''}${'x'.repeat(1_000)}`)
    for (let i = 0; i < 10; i++) await turns()
    expect(await at.answers()).toMatchObject([{ error: { code: -32600 } }])
    expect([ours.writableEnded, ours.destroyed]).toEqual([true, false])
    await clock.advance(limits.controlRequestMilliseconds)
    await ended
    expect(ours.destroyed).toBe(true)
  })

  test('the rest of a request must come in time', async () => {
    const { send, ours, clock, ...at } = connection()
    send('{"jsonrpc":')
    await at.received()
    await clock.advance(limits.controlRequestMilliseconds - 1)
    send('"2.0",')
    await at.received()
    expect(ours.destroyed).toBe(false)
    await clock.advance(1)
    expect(ours.destroyed).toBe(true)
  })

  test('a connection on which nothing happens is closed', async () => {
    const { send, ours, clock, ...at } = connection()
    send(request('echo'))
    await at.answers()
    await clock.advance(limits.controlIdleMilliseconds)
    expect(ours.destroyed).toBe(true)
  })

  test('a method that does not answer in time is answered for', async () => {
    const { send, clock, ...at } = connection()
    send(request('hangs') + request('echo', [], 2))
    expect(await at.answers()).toEqual([])
    await clock.advance(limits.controlAnswerMilliseconds)
    expect(await at.answers()).toMatchObject([{ error: { code: 504 } }, { id: 2 }])
  })

  test('who does not read gets no more made for him, and is given up', async () => {
    let made = 0
    let isStopped = false
    function* rows() {
      try {
        for (; made < 1_000_000; made++) yield { text: 'x'.repeat(100) }
      } finally {
        isStopped = true
      }
    }
    const { send, clock, ended, broken, ours } = connection([{ name: 'rows', run: () => rows() }])
    send(request('rows'))
    await turns()
    const madeBefore = made
    expect(madeBefore).toBeLessThan(2 * (limits.controlPieceCharacters / 100))
    await turns()
    expect(made).toBe(madeBefore)
    await clock.advance(limits.controlTakeMilliseconds)
    await ended
    expect([ours.destroyed, isStopped, broken.length]).toEqual([true, true, 0])
  })

  test('an answer that breaks off is no answer: the connection is closed', async () => {
    function* rows() {
      for (let i = 0; i < 1_000; i++) yield { text: 'x'.repeat(100) }
      throw new Error('half way')
    }
    const { send, ours, theirs, ended, broken } = connection([{ name: 'rows', run: () => rows() }])
    theirs.resume()
    send(request('rows'))
    await ended
    expect(ours.destroyed).toBe(true)
    expect(broken).toMatchObject([{ message: 'half way' }])
  })
})
