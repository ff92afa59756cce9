import { describe, expect, test } from 'vitest'
import { Locks } from '../../plugins/cfgutils/locks.ts'
import { limits } from '../../src/limits.ts'
import { simulatedClock } from '../../src/testing/clock.ts'
import { request, startRouter, type TestRouter } from '../script/router.ts'

async function start(statements: string, globals = ''): Promise<TestRouter> {
  return startRouter(
    `flags F:4\nloadmodule "pv.so"\nloadmodule "xlog.so"\nloadmodule "sl.so"\nloadmodule "cfgutils.so"\n${globals}\nrequest_route { ${statements} }\nroute[R1] { return 7; }\nroute[ENDS] { exit; }\nroute[WAITS] { sleep(1); return 3; }`,
  )
}

async function logged(statements: string, globals = ''): Promise<string[]> {
  const router = await start(statements, globals)
  await router.handle(request())
  return router.lines().map((line) => line.replace(/^error: /, ''))
}

describe('functions (measured on Kamailio 5.6.3)', () => {
  test.each([
    [
      'rand_set_prob(50); xlog("$rc"); rand_get_prob(); xlog("$rc"); rand_reset_prob(); rand_get_prob(); xlog("$rc");',
      '1',
      '50',
      '10',
    ],
    [
      'rand_set_prob(100); rand_event(); xlog("$rc"); rand_set_prob(0); rand_event(); xlog("$rc"); rand_event(100); xlog("$rc");',
      '1',
      '-1',
      '1',
    ],
    [
      'core_hash("abc", "def", 10); xlog("$rc"); core_hash("abc", "", 8); xlog("$rc"); core_hash("sip:bob@test.local", "", 16); xlog("$rc");',
      '370',
      '67',
      '56910',
    ],
    ['check_route_exists("NOPE"); xlog("$rc"); check_route_exists("R1"); xlog("$rc");', '-1', '1'],
    ['route_if_exists("R1"); xlog("$rc"); route_if_exists("NOPE"); xlog("$rc");', '7', '-1'],
    ['set_gflag(F); is_gflag(F); xlog("$rc"); reset_gflag(F); is_gflag(F); xlog("$rc");', '1', '-1'],
    [
      'trylock("k"); xlog("$rc"); trylock("k"); xlog("$rc"); unlock("k"); xlog("$rc"); unlock("k"); xlog("$rc");',
      '1',
      '-1',
      '1',
      '-1',
    ],
  ])('%s', async (statements, ...expected) => {
    expect(await logged(statements)).toEqual(expected)
  })

  test('a route that ends the script ends it from route_if_exists() too', async () => {
    expect(await logged('route_if_exists("ENDS"); xlog("after");')).toEqual([])
  })

  test('chance comes from the router’s random numbers, within bounds', async () => {
    const lines = await logged('xlog("$RANDOM"); xlog("$RANDOM");')
    for (const line of lines) {
      expect(Number(line)).toBeGreaterThanOrEqual(0)
      expect(Number(line)).toBeLessThan(2 ** 31)
    }
    expect(lines[0]).not.toBe(lines[1])
  })

  test('initial_probability and a probability that is none', async () => {
    expect(
      await logged('rand_get_prob(); xlog("$rc");', 'modparam("cfgutils", "initial_probability", 33)'),
    ).toEqual(['33'])
    await expect(logged('rand_set_prob(101);')).rejects.toThrow('0 to 100')
  })

  test('abort() costs this message a 500, and no more', async () => {
    const router = await start('abort();')
    await router.handle(request())
    expect(router.sent.map(({ firstLine }) => firstLine)).toEqual(['SIP/2.0 500 Server Internal Error'])
    expect(router.lines()[0]).toContain('the script called abort()')
  })
})

describe('waiting', () => {
  test('sleep() stops this message, not the router', async () => {
    const router = await start('if ($rU == "slow") { sleep(2); } xlog("$rU");')
    await router.handle(request({ uri: 'sip:slow@h' }))
    await router.handle(request({ uri: 'sip:quick@h' }))
    expect(router.lines()).toEqual(['error: quick'])
    await router.pass(1999)
    expect(router.lines()).toHaveLength(1)
    await router.pass(1)
    expect(router.lines()).toEqual(['error: quick', 'error: slow'])
  })

  test('usleep() counts microseconds; none is no wait', async () => {
    const router = await start('usleep(0); xlog("a"); usleep(1500000); xlog("b");')
    await router.handle(request())
    expect(router.lines()).toEqual(['error: a'])
    await router.pass(1500)
    expect(router.lines()).toEqual(['error: a', 'error: b'])
  })

  test('a route that waits may be run by route_if_exists()', async () => {
    const router = await start('route_if_exists("WAITS"); xlog("$rc");')
    await router.handle(request())
    await router.pass(1000)
    expect(router.lines()).toEqual(['error: 3'])
  })

  test('lock() lets one run after another', async () => {
    const router = await start('lock("k"); xlog("in $rU"); sleep(1); xlog("out $rU"); unlock("k");')
    router.receive(request({ uri: 'sip:one@h' }))
    router.receive(request({ uri: 'sip:two@h' }))
    await router.pass(3000)
    expect(router.lines()).toEqual(['error: in one', 'error: out one', 'error: in two', 'error: out two'])
  })
})

describe('locks', () => {
  test('nobody keeps one for longer than a run may wait', () => {
    const clock = simulatedClock()
    const locks = new Locks(clock)
    const [first, second] = [{}, {}]
    expect(locks.tryTake('k', first)).toBe(true)
    clock.advanceSync(limits.scriptWaitMillisecondsMax - 1)
    expect(locks.tryTake('k', second)).toBe(false)
    clock.advanceSync(1)
    expect(locks.tryTake('k', second)).toBe(true)
    expect(locks.release('k', first)).toBe(false)
    expect(locks.release('k', second)).toBe(true)
  })

  test('a holder that asks again is refused instead of waiting for itself', async () => {
    const locks = new Locks(simulatedClock())
    const holder = {}
    expect(locks.take('k', holder)).toBe(1)
    expect(locks.take('k', holder)).toBe(-1)
  })

  test('the one who waits longest comes next', async () => {
    const locks = new Locks(simulatedClock())
    const holders = [{}, {}, {}] as const
    const order: number[] = []
    expect(locks.take('k', holders[0])).toBe(1)
    const waiting = [1, 2].map(async (index) => {
      await locks.take('k', holders[index] ?? {})
      order.push(index)
    })
    locks.release('k', holders[0])
    await waiting[0]
    locks.release('k', holders[1])
    await Promise.all(waiting)
    expect(order).toEqual([1, 2])
  })
})
