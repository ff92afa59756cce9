import { describe, expect, test } from 'vitest'
import { type RequestParts, request, startRouter, type TestRouter } from '../script/router.ts'

async function run(statements: string, parts: RequestParts = {}): Promise<TestRouter> {
  const router = await startRouter(
    `flags NATED:6\nloadmodule "kex.so"\nloadmodule "pv.so"\nloadmodule "xlog.so"\nloadmodule "corex.so"\nrequest_route { ${statements} }`,
  )
  await router.handle(request(parts))
  return router
}

describe('functions (measured on Kamailio 5.6.3)', () => {
  test.each([
    [
      'isdsturiset(); xlog("$rc"); setdsturi("sip:1.2.3.4:77"); xlog("$rc $du"); isdsturiset(); xlog("$rc"); resetdsturi(); xlog("$rc $du");',
      '-1',
      '1 sip:1.2.3.4:77',
      '1',
      '1 <null>',
    ],
    ['setdsturi("$var(none)x"); xlog("$du"); $avp(e)=""; setdsturi("$avp(e)"); xlog("$rc");', '0x', '-1'],
    [
      'setbflag(2); isbflagset(2); xlog("$rc $bf $bF"); resetbflag(2); isbflagset(2); xlog("$rc");',
      '1 4 00000004',
      '-1',
    ],
    [
      'setbflag(NATED); xlog("$bf"); isbflagset(2, 1); xlog("$rc"); setbflag(4, 1); xlog("$rc");',
      '64',
      '-1',
      '-1',
    ],
    [
      'append_branch("sip:b@c"); setbflag(4, 1); xlog("$rc $(branch(flags)[0]) $bf"); isbflagset(4, 1); xlog("$rc");',
      '1 16 0',
      '1',
    ],
    ['setsflag(3); issflagset(3); xlog("$rc $sf"); resetsflag(3); issflagset(3); xlog("$rc");', '1 8', '-1'],
    [
      'pv_printf("$var(a)", "x $rU y"); xlog("$rc $var(a)"); avp_printf("$avp(b)", "$rd"); xlog("$avp(b)");',
      '1 x bob y',
      'example.com',
    ],
  ])('%s', async (statements, ...expected) => {
    expect((await run(statements)).lines()).toEqual(expected.map((line) => `error: ${line}`))
  })

  test.each([
    ['sip:x@192.0.2.1:5060', '1'],
    ['sip:x@192.0.2.1', '1'],
    ['sip:x@192.0.2.1:5070', '-1'],
    ['sip:x@10.0.0.1', '-1'],
    ['10.0.0.1', '1'],
    ['10.0.0.1:5080', '1'],
    ['10.0.0.1:5081', '-1'],
    ['udp:10.0.0.1:5080', '1'],
    ['sip:x@example.net', '-1'],
    ['', '-1'],
  ])('is_myself("%s") is %s', async (uri, rc) => {
    expect((await run(`$var(u)="${uri}"; is_myself("$var(u)"); xlog("$rc");`)).lines()).toEqual([
      `error: ${rc}`,
    ])
  })

  test('branch flags go with the Request-URI into its branch', async () => {
    const router = await startRouter(
      'loadmodule "kex.so"\nloadmodule "tm.so"\nloadmodule "xlog.so"\nrequest_route { setbflag(5); $du="sip:203.0.113.9"; t_on_branch("B"); t_relay(); }\nbranch_route[B] { xlog("$bf"); }',
    )
    await router.handle(request())
    expect(router.lines()).toEqual(['error: 32'])
  })

  test('setdebug() changes the level, resetdebug() restores the script’s', async () => {
    const router = await startRouter(
      'debug=0\nloadmodule "kex.so"\nloadmodule "xlog.so"\nrequest_route { xinfo("one"); setdebug(3); xinfo("two"); resetdebug(); xinfo("three"); }',
    )
    await router.handle(request())
    expect(router.lines()).toEqual(['info: two'])
  })
})

describe('statistics', () => {
  test('count what arrives, by method', async () => {
    const router = await run(
      'xlog("$stat(rcv_requests) $stat(rcv_requests_options) $stat(nothing_like_it)");',
      {
        method: 'OPTIONS',
      },
    )
    expect(router.lines()).toEqual(['error: 1 1 <null>'])
  })

  test('RPC lists a group, a name, or all', async () => {
    const router = await run('exit;', { method: 'OPTIONS' })
    const call = (name: string, which: string) => router.engine.rpc.get(name)?.([which])
    expect(call('stats.get_statistics', 'core:')).toEqual(
      expect.arrayContaining([
        'core:rcv_requests = 1',
        'core:rcv_requests_options = 1',
        'core:rcv_requests_invite = 0',
      ]),
    )
    expect(call('stats.fetch', 'rcv_requests')).toEqual({ 'core.rcv_requests': '1' })
    expect(call('stats.fetchn', 'all')).toMatchObject({ 'core.rcv_requests': 1, 'tmx.inuse_transactions': 0 })
  })

  test('RPC lets counts begin at 0 again, what is no count stays', async () => {
    const router = await run('exit;', { method: 'OPTIONS' })
    const call = (name: string, which: string) => router.engine.rpc.get(name)?.([which])
    expect(call('stats.clear_statistics', 'rcv_requests')).toEqual(['core:rcv_requests = 1'])
    expect(call('stats.fetchn', 'rcv_requests')).toEqual({ 'core.rcv_requests': 0 })
    expect(call('stats.fetchn', 'rcv_requests_options')).toEqual({ 'core.rcv_requests_options': 1 })
    await router.handle(request({ method: 'OPTIONS' }))
    expect(call('stats.fetchn', 'rcv_requests')).toEqual({ 'core.rcv_requests': 1 })
    expect(call('stats.reset_statistics', 'core:')).toEqual({})
    expect(call('stats.fetchn', 'rcv_requests_options')).toEqual({ 'core.rcv_requests_options': 0 })
  })

  test('a method from the wire makes no new name', async () => {
    const router = await run('xlog("$stat(rcv_requests_evil)");', { method: 'EVIL' })
    expect(router.lines()).toEqual(['error: <null>'])
  })
})
