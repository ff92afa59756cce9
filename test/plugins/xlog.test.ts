import { describe, expect, test } from 'vitest'
import { readable } from '../../plugins/xlog/readable.ts'
import { type RequestParts, request, startRouter } from '../script/router.ts'

async function lines(statements: string, parts: RequestParts = {}, globals = '') {
  const router = await startRouter(`${globals}\nloadmodule "xlog.so"\nrequest_route { ${statements} }`)
  await router.handle(request(parts))
  return router.log.lines.filter(({ fields }) => fields['module'] === 'xlog')
}

describe('levels', () => {
  test.each([
    ['xlog("x")', 'error'],
    ['xlog("L_ALERT", "x")', 'fatal'],
    ['xlog("L_CRIT", "x")', 'fatal'],
    ['xlog("L_ERR", "x")', 'error'],
    ['xlog("L_WARN", "x")', 'warn'],
    ['xlog("L_NOTICE", "x")', 'info'],
    ['xlog("L_INFO", "x")', 'info'],
    ['xlog("L_DBG", "x")', 'debug'],
    ['xlog("1", "x")', 'info'],
    ['$var(level)="L_WARN"; xlog("$var(level)", "x")', 'warn'],
    ['xlog("L_NONSENSE", "x")', 'error'],
    ['xlog("LOG_LOCAL3", "L_INFO", "x")', 'info'],
    ['xlogl("L_INFO", "x")', 'info'],
    ['xdbg("x")', 'debug'],
    ['xinfo("x")', 'info'],
    ['xnotice("x")', 'info'],
    ['xwarn("x")', 'warn'],
    ['xerr("x")', 'error'],
    ['xcrit("x")', 'fatal'],
    ['xbug("x")', 'fatal'],
    ['xalert("x")', 'fatal'],
  ])('%s is %s', async (call, level) => {
    expect(await lines(`${call};`)).toMatchObject([{ level, message: 'x' }])
  })
})

describe('a line', () => {
  test('has the text as its message, and the call and the place as fields', async () => {
    expect(await lines('xlog("to $rU\\n");', { callId: 'c9' })).toMatchObject([
      { message: 'to bob', fields: { module: 'xlog', callId: 'c9', place: 'test.cfg:3' } },
    ])
  })

  test('is one event, whatever the wire put into it', async () => {
    const [line, ...more] = await lines('xlog("UA: $ua");', { headers: 'User-Agent: a\u001b[31mred\r\n' })
    expect(line?.message).toBe('UA: a\u001b[31mred')
    expect(more).toEqual([])
  })

  test('is not evaluated twice: what a header holds stays text', async () => {
    expect(await lines('xlog("$ua");', { headers: 'User-Agent: $ru %s $(fu)\r\n' })).toMatchObject([
      { message: '$ru %s $(fu)' },
    ])
  })

  test('costs nothing if its level is off: the text is not even evaluated', async () => {
    const statements = 'xdbg("$shvinc(n)"); xlog("L_DBG", "$shvinc(n)"); xlog("$shv(n)");'
    expect(await lines(statements, {}, 'debug=2\nloadmodule "pv.so"')).toMatchObject([{ message: '0' }])
  })

  test('has a prefix if modparam says so', async () => {
    const router = await startRouter(
      'loadmodule "xlog.so"\nmodparam("xlog", "prefix", "edge: ")\nrequest_route { xlog("x"); }',
    )
    await router.handle(request())
    expect(router.lines()).toEqual(['error: edge: x'])
  })

  test('xlogm() writes for some methods', async () => {
    const router = await startRouter(
      'loadmodule "xlog.so"\nmodparam("xlog", "methods_filter", 1)\nrequest_route { xlogm("L_INFO", "$rm"); }',
    )
    await router.handle(request({ method: 'INVITE' }))
    await router.handle(request({ method: 'BYE' }))
    expect(router.lines()).toEqual(['info: INVITE'])
  })
})

describe('octets as people read them', () => {
  test.each([
    ['plain', 'plain'],
    ['Gr\xc3\xbc\xc3\x9fe', 'Grüße'],
    ['\xff\xfe', '\xff\xfe'],
    ['caf\xe9', 'caf\xe9'],
  ])('%j is shown as %j', (text, shown) => {
    expect(readable(text)).toBe(shown)
  })
})
