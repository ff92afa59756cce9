import { describe, expect, test } from 'vitest'
import { request, startRouter, type TestRouter } from '../script/router.ts'

async function run(statements: string, globals = ''): Promise<TestRouter> {
  const router = await startRouter(
    `loadmodule "pv.so"\nloadmodule "xlog.so"\nloadmodule "corex.so"\n${globals}\nrequest_route { ${statements} }`,
  )
  await router.handle(request())
  return router
}

async function logged(statements: string, globals = ''): Promise<string[]> {
  return (await run(statements, globals)).lines().map((line) => line.replace(/^error: /, ''))
}

describe('functions on variables (measured on Kamailio 5.6.3)', () => {
  test.each([
    ['pv_isset("$avp(x)"); xlog("$rc"); $avp(x)=1; pv_isset("$avp(x)"); xlog("$rc");', '-1', '1'],
    ['pv_isset("$hdr(X-Nope)"); xlog("$rc"); pv_isset("$hdr(CSeq)"); xlog("$rc");', '-1', '1'],
    ['$avp(x)=1; pv_unset("$avp(x)"); xlog("$rc $avp(x)");', '1 <null>'],
    ['$var(a)="12"; is_int("$var(a)"); xlog("$rc"); $var(a)=12; is_int("$var(a)"); xlog("$rc");', '-1', '1'],
    [
      'typeof("$sp", "int"); xlog("$rc"); typeof("$rU", "str"); xlog("$rc"); typeof("$du", "null"); xlog("$rc");',
      '1',
      '1',
      '1',
    ],
    ['not_empty("$rU"); xlog("$rc"); $var(x)=""; not_empty("$var(x)"); xlog("$rc");', '1', '-1'],
    ['pv_evalx("$var(o)", "to $rU"); xlog("$rc $var(o)");', '1 to bob'],
    [
      'xavp_params_explode("a=1;b=x;c", "pe"); xlog("$rc $xavp(pe=>a) $xavp(pe=>b) [$xavp(pe=>c)]");',
      '1 1 x []',
    ],
    [
      'xavp_params_explode("a=1;b=x;c", "pe"); xavp_params_implode("pe", "$var(o)"); xlog("$rc [$var(o)]");',
      '1 [a=1;b=x;c;]',
    ],
    ['xavp_params_implode("none", "$var(o)"); xlog("$rc");', '-1'],
    [
      'xavp_params_explode("a=1", "pe"); xavp_copy("pe", 0, "pf"); $xavp(pe[0]=>a[0])="2"; xlog("$rc $xavp(pf=>a)");',
      '1 1',
    ],
    ['xavp_copy("none", 0, "pf"); xlog("$rc");', '-1'],
    [
      'xavp_child_seti("g", "n", "5"); xavp_child_sets("g", "m", "s"); xlog("$rc $xavp(g=>n) $xavp(g=>m) $cnt($xavp(g))");',
      '1 5 s 1',
    ],
    [
      'xavp_child_seti("g", "n", 5); xavp_child_rm("g", "n"); xlog("$xavp(g=>n)"); xavp_rm("g"); xlog("$rc"); xavp_rm("g"); xlog("$rc");',
      '<null>',
      '1',
      '1',
    ],
    ['xavu_child_sets("u", "k", "1"); xavu_child_sets("u", "k", "2"); xlog("$xavu(u=>k)");', '2'],
    ['xavi_child_sets("U", "K", "1"); xlog("$xavi(u=>k)");', '1'],
    [
      'xavp_slist_explode("a, b,c", ",", "t", "l"); xlog("$xavp(l=>v) $xavp(l[1]=>v) $xavp(l[2]=>v) $cnt($xavp(l))");',
      'a b c 3',
    ],
  ])('%s', async (statements, ...expected) => {
    expect(await logged(statements)).toEqual(expected)
  })

  test('pv_xavp_print() puts the records into the trace', async () => {
    const router = await run('$xavp(a=>b)=1; $xavp(a=>c)=2; pv_xavp_print();')
    const traced = router.log.lines.filter(({ level }) => level === 'debug').map(({ message }) => message)
    expect(traced).toEqual(expect.arrayContaining(['c=2', 'b=1']))
  })
})

describe('$shv', () => {
  test('is 0 until it is set, then what the last message left', async () => {
    const router = await startRouter(
      'loadmodule "pv.so"\nloadmodule "xlog.so"\nrequest_route { xlog("$shv(a)"); $shv(a)=$shv(a)+1; if ($rU=="off") { $shv(a)=$null; } }',
    )
    await router.handle(request())
    await router.handle(request({ uri: 'sip:off@h' }))
    await router.handle(request())
    expect(router.lines()).toEqual(['error: 0', 'error: 1', 'error: 0'])
  })

  test('shvset gives first values; $shvinc counts', async () => {
    const globals = 'modparam("pv", "shvset", "debug=i:3")\nmodparam("pv", "shvset", "mode=s:on")'
    expect(await logged('xlog("$shv(debug) $shv(mode) $shvinc(debug) $shvinc(new)");', globals)).toEqual([
      '3 on 4 1',
    ])
  })

  test('a shvset that is none is told when the script is loaded', async () => {
    await expect(logged('exit;', 'modparam("pv", "shvset", "debug=3")')).rejects.toThrow('name=i:number')
  })

  test('RPC reads and writes it', async () => {
    const router = await run('exit;')
    const call = (name: string, ...params: unknown[]) => router.engine.rpc.get(name)?.(params)
    expect(call('pv.shvSet', 'x', 'int', '5')).toBe('Ok. Variable set to new value.')
    expect(() => call('pv.shvSet', 'x')).toThrow('Missing parameter type (Parameters: varname type value)')
    expect(() => call('pv.shvSet', 'x', 'foo', '7')).toThrow('Unknown parameter type (Types: int or str)')
    expect(() => call('pv.shvSet', 'x', 'int', 'seven')).toThrow('The value is no integer')
    expect(call('pv.shvGet', 'x')).toEqual({ name: 'x', type: 'int', value: 5 })
    expect(call('pv.shvGet')).toEqual([{ name: 'x', type: 'int', value: 5 }])
    expect(() => call('pv.shvGet', 'nope')).toThrow('Variable not found')
  })
})

describe('$sbranch', () => {
  test('is put together, then added', async () => {
    expect(
      await logged(
        'sbranch_reset(); $sbranch(uri)="sip:x@y"; $sbranch(dst_uri)="sip:1.2.3.4"; $sbranch(q)=500; sbranch_append(); xlog("$rc $bR $(branch(dst_uri)[0])");',
      ),
    ).toEqual(['1 <sip:x@y>;q=0.5 sip:1.2.3.4'])
  })

  test('or made the Request-URI’s', async () => {
    expect(
      await logged(
        '$sbranch(uri)="sip:x@y"; sbranch_set_ruri(); xlog("$ru"); sbranch_reset(); sbranch_append(); xlog("$rc");',
      ),
    ).toEqual(['sip:x@y', '-1'])
  })
})
