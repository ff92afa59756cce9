import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Answer, Caller, contactsOf, pause, request } from './caller.ts'
import { Lab } from './lab.ts'
import { type Router, startRouter } from './router.ts'

/** One router of two worker threads: what the kernel hands to either of them is handled as if there were one. */
const script = 'test/wire/scripts/workers.cfg'

describe('two workers', { timeout: 60_000 }, () => {
  let lab: Lab
  let callers: Caller[]
  let router: Router
  const data = () => join(lab.directory, 'data')

  beforeAll(async () => {
    lab = new Lab()
    router = await start()
  })
  beforeEach(() => {
    callers = []
  })
  afterEach(() => {
    for (const caller of callers) caller.close()
  })
  afterAll(async () => {
    await lab.close()
  })

  const start = (port?: number, env: NodeJS.ProcessEnv = {}) =>
    startRouter(lab, script, { data: data(), args: ['--workers', '2'], env, ...(port && { port }) })

  async function newCaller(): Promise<Caller> {
    const caller = await Caller.open()
    callers.push(caller)
    return caller
  }

  const options = (caller: Caller, user = 'x', milliseconds = 3_000) =>
    caller.ask(request(caller, router.port, { method: 'OPTIONS', user }), router.port, { milliseconds })

  const workerOf = (answer: Answer | null) =>
    Number(/^Worker: (\d+) of 2/m.exec(answer?.text ?? '')?.[1] ?? -1)

  const sumsOf = (answer: Answer | null) =>
    (/^Sums: (.*)$/m.exec(answer?.text ?? '')?.[1] ?? '').trim().split(' ').map(Number)

  /** Endpoints that the kernel gives to that worker. */
  async function callersAt(worker: number, count: number): Promise<Caller[]> {
    const found: Caller[] = []
    for (let tries = 0; found.length < count; tries++) {
      if (tries > 200) throw new Error(`no source of 200 meets worker ${worker}`)
      const caller = await newCaller()
      if (workerOf(await options(caller)) === worker) found.push(caller)
    }
    return found
  }

  async function oneAt(worker: number): Promise<Caller> {
    const [caller] = await callersAt(worker, 1)
    if (caller === undefined) throw new Error('none')
    return caller
  }

  const register = (caller: Caller, user: string) =>
    caller.ask(
      request(caller, router.port, {
        method: 'REGISTER',
        user,
        headers: `Contact: <sip:${user}@127.0.0.1:${caller.port}>\r\n`,
      }),
      router.port,
    )

  const message = (caller: Caller, user: string) =>
    caller.ask(request(caller, router.port, { method: 'MESSAGE', user }), router.port, {
      milliseconds: 5_000,
      retryMilliseconds: 500,
    })

  test('a source meets one worker and stays with it; sources meet both', async () => {
    const sources = await Promise.all(Array.from({ length: 24 }, newCaller))
    const met = await Promise.all(sources.map(async (caller) => workerOf(await options(caller))))
    const again = await Promise.all(sources.map(async (caller) => workerOf(await options(caller))))
    expect(again).toEqual(met)
    expect(new Set(met)).toEqual(new Set([0, 1]))
  })

  test('what is registered at one is found at the other, and answers that meet the wrong one reach theirs', async () => {
    const [callee, far, near] = [await oneAt(0), await oneAt(1), await oneAt(0)]
    expect((await register(callee, 'bob'))?.status).toBe(200)
    // From either side to either side: the callee's answers always meet worker 0.
    for (const caller of [far, near]) {
      const answers = await Promise.all(Array.from({ length: 200 }, () => message(caller, 'bob')))
      expect(answers.filter((answer) => answer?.status === 200)).toHaveLength(200)
    }
    // None came twice: no answer was lost on its way between the workers.
    expect(callee.received).toHaveLength(400)
  })

  test('40 endpoints at once, each calls another: no transaction breaks', async () => {
    const endpoints = await Promise.all(Array.from({ length: 40 }, newCaller))
    await Promise.all(endpoints.map((caller, i) => register(caller, `u${i}`)))
    const asked = endpoints.flatMap((caller, i) =>
      Array.from({ length: 25 }, (_, n) => message(caller, `u${(i + n + 1) % 40}`)),
    )
    const answers = await Promise.all(asked)
    expect(answers.filter((answer) => answer?.status === 200)).toHaveLength(1_000)
  })

  test('a CANCEL from another port than its INVITE finds it', async () => {
    const [callee, caller, other] = [await oneAt(0), await oneAt(0), await oneAt(1)]
    callee.onRequest = (text) => (text.startsWith('INVITE') ? '180 Ringing' : '200 OK')
    await register(callee, 'ringing')
    const invite = request(caller, router.port, { method: 'INVITE', user: 'ringing' })
    caller.tell(invite, router.port)
    await pause(300)
    const cancel = invite.replace(/^INVITE/, 'CANCEL').replace(/CSeq: 1 INVITE/, 'CSeq: 1 CANCEL')
    other.tell(cancel, router.port)
    await pause(300)
    const methods = callee.received.map((text) => text.slice(0, text.indexOf(' ')))
    expect(methods).toEqual(['INVITE', 'CANCEL'])
  })

  test('$sht, $shv, statistics and locks are one for both', async () => {
    const [zero, one] = [await oneAt(0), await oneAt(1)]
    await Promise.all(
      Array.from({ length: 200 }, (_, n) => options(n % 2 === 0 ? zero : one, 'count', 5_000)),
    )
    const seen = [sumsOf(await options(zero)), sumsOf(await options(one))]
    expect(seen.map(([sht, shv]) => [sht, shv])).toEqual([
      [200, 200],
      [200, 200],
    ])
    // event_route[htable:mod-init] ran once.
    expect(seen.map(([, , , begun]) => begun)).toEqual([1, 1])
    await Promise.all(
      Array.from({ length: 100 }, (_, n) => options(n % 2 === 0 ? zero : one, 'locked', 10_000)),
    )
    expect(sumsOf(await options(zero))[2]).toBe(100)
    await pause(1_500)
    const received = (answer: Answer | null) => Number(/^Received: (\d+)/m.exec(answer?.text ?? '')?.[1])
    expect(received(await options(zero))).toBeGreaterThanOrEqual(300)
    expect(received(await options(one))).toBeGreaterThanOrEqual(300)
  })

  test('what expires, expires once', async () => {
    const [zero, one] = [await oneAt(0), await oneAt(1)]
    for (let n = 0; n < 10; n++) await options(n % 2 === 0 ? zero : one, 'short')
    await pause(4_500)
    expect(sumsOf(await options(zero))[4]).toBe(10)
  })

  test('an error that nobody catches costs a line with the number of the worker', async () => {
    const caller = await oneAt(1)
    expect((await options(caller, 'throw'))?.status).toBe(200)
    await router.process.prints(/an error that nobody caught: thrown in a timer/)
    const line = router.logLines().find(({ msg }) => msg.includes('thrown in a timer'))
    expect(line).toMatchObject({ level: 'error', worker: 1 })
    expect(workerOf(await options(caller))).toBe(1)
  })

  test('kill -9: what was answered is there afterwards', async () => {
    const sources = await Promise.all(Array.from({ length: 16 }, newCaller))
    const answers = await Promise.all(sources.map((caller, i) => register(caller, `k${i}`)))
    expect(answers.map((answer) => answer?.status)).toEqual(sources.map(() => 200))
    await router.kill()
    router = await start(router.port)
    for (const [i, caller] of sources.entries()) {
      const asked = await caller.ask(
        request(caller, router.port, { method: 'REGISTER', user: `k${i}` }),
        router.port,
      )
      expect(contactsOf(asked)).toEqual([`sip:k${i}@127.0.0.1:${caller.port}`])
    }
  })

  test('a second router does not share the port, whatever SO_REUSEPORT allows', async () => {
    const other = await startRouter(lab, script, {
      data: join(lab.directory, 'other'),
      port: router.port,
      args: ['--workers', '2'],
    }).catch((error: Error) => error.message)
    expect(other).toMatch(/another program uses that port/)
  })

  test.each([
    ['exit', /worker (\d) died \(it ended with 7\)/],
    ['memory', /worker (\d) died \(.*memory/],
  ])(
    'a worker that dies (%s) is replaced, the other serves meanwhile, and no binding is lost',
    async (how, said) => {
      // Little memory, so that it is used up soon.
      await router.stop()
      router = await start(undefined, { NODE_OPTIONS: '--max-old-space-size=400' })
      const [victim, survivor] = [await oneAt(1), await oneAt(0)]
      await register(victim, 'alice')
      await register(survivor, 'bob')
      let isKilling = true
      let unanswered = 0
      const watch = (async () => {
        for (; isKilling; await pause(20)) {
          // What its source now meets may be the worker that is not there yet: it asks again, as SIP has it.
          const asked = request(survivor, router.port, { method: 'OPTIONS', user: 'x' })
          const answer = await survivor.ask(asked, router.port, {
            milliseconds: 8_000,
            retryMilliseconds: 250,
          })
          if (answer === null) unanswered++
        }
      })()
      victim.tell(request(victim, router.port, { method: 'OPTIONS', user: how }), router.port)
      await router.process.prints(said, 20)
      await router.process.prints(/worker 1 serves again/, 30)
      isKilling = false
      await watch
      expect(unanswered).toBe(0)
      const sources = await Promise.all(Array.from({ length: 24 }, newCaller))
      const met = await Promise.all(sources.map(async (caller) => workerOf(await options(caller))))
      expect(new Set(met)).toEqual(new Set([0, 1]))
      for (const user of ['alice', 'bob']) {
        const found = await Promise.all(sources.slice(0, 8).map((caller) => message(caller, user)))
        expect(found.map((answer) => answer?.status)).toEqual(Array.from({ length: 8 }, () => 200))
      }
      expect(await router.stop()).toBe(0)
    },
  )

  test('a worker that dies after -u is replaced: the sockets belong to whom we run as', async () => {
    await router.stop()
    // With the rights of root to files: nobody may not be able to read this checkout.
    const wrapper = ['setpriv', '--securebits', '+no_setuid_fixup']
    router = await startRouter(lab, script, {
      data: join(lab.directory, 'of-nobody'),
      args: ['--workers', '2', '-u', 'nobody'],
      wrapper,
    })
    const victim = await oneAt(1)
    await register(victim, 'alice')
    victim.tell(request(victim, router.port, { method: 'OPTIONS', user: 'exit' }), router.port)
    await router.process.prints(/worker 1 serves again/, 30)
    const caller = await oneAt(1)
    expect((await message(caller, 'alice'))?.status).toBe(200)
    expect(await router.stop()).toBe(0)
    router = await start()
  })

  test('SIGTERM: both finish what they have accepted, new requests get 503, exit code 0', async () => {
    await router.stop()
    router = await start()
    const [callee, far, near] = [await oneAt(0), await oneAt(1), await oneAt(0)]
    await register(callee, 'slow')
    callee.onRequest = () => null
    const underWay = [far, near].flatMap((caller) =>
      Array.from({ length: 20 }, () => message(caller, 'slow')),
    )
    await pause(300)
    expect(callee.received.length).toBeGreaterThanOrEqual(40)
    router.process.signal('SIGTERM')
    await router.process.prints(/no new requests/)
    await pause(100)
    expect((await Promise.all([options(far), options(near)])).map((answer) => answer?.status)).toEqual([
      503, 503,
    ])
    callee.onRequest = () => '200 OK'
    const answers = await Promise.all(underWay)
    expect(answers.filter((answer) => answer?.status === 200)).toHaveLength(40)
    expect(await router.process.exited).toBe(0)
  })
})

describe('children= of the script', { timeout: 30_000 }, () => {
  test.each([
    [1, []],
    [2, ['workers: 2; ']],
  ])('%i', async (children, said) => {
    const lab = new Lab()
    const router = await startRouter(lab, script, {
      data: join(lab.directory, 'data'),
      defines: { CHILDREN: children },
      env: { VIADUCT_WORKERS: '' },
    })
    const [line = ''] = router
      .logLines()
      .map(({ msg }) => msg)
      .filter((msg) => / runs .* on udp:/.test(msg))
    expect(/workers: \d+; /.exec(line)?.slice(0) ?? []).toEqual(said)
    expect(await router.stop()).toBe(0)
    await lab.close()
  })

  test('more than there are processors: as many as there are, and the log says so; --memory is shared too', async () => {
    const lab = new Lab()
    const router = await startRouter(lab, script, {
      args: ['--memory'],
      defines: { CHILDREN: 1_000 },
      env: { VIADUCT_WORKERS: '' },
    })
    expect(router.process.output).toMatch(/children=1000: \d+ workers, as many as there are processors/)
    const callers = await Promise.all(Array.from({ length: 12 }, () => Caller.open()))
    for (const [i, caller] of callers.entries()) {
      const headers = `Contact: <sip:m@127.0.0.1:${9_000 + i}>\r\n`
      await caller.ask(
        request(caller, router.port, { method: 'REGISTER', user: `m${i % 2}`, headers }),
        router.port,
      )
    }
    for (const caller of callers) {
      const asked = request(caller, router.port, { method: 'REGISTER', user: 'm0' })
      expect(contactsOf(await caller.ask(asked, router.port))).toHaveLength(6)
      caller.close()
    }
    expect(await router.stop()).toBe(0)
    await lab.close()
  })
})
