import { describe, expect, test } from 'vitest'
import { request, startRouter } from './router.ts'

/** Measured on Kamailio 5.6.3. */
describe('functions of the core', () => {
  const uri = 'sip:bob:pw@test.local:5066;transport=tcp'
  test.each([
    ['strip(1)', 'sip:ob:pw@test.local:5066;transport=tcp'],
    ['strip(99)', 'sip:test.local:5066;transport=tcp'],
    ['strip_tail(1)', 'sip:bo:pw@test.local:5066;transport=tcp'],
    ['prefix("00")', 'sip:00bob:pw@test.local:5066;transport=tcp'],
    ['prefix("$var(x)")', 'sip:$var(x)bob:pw@test.local:5066;transport=tcp'],
    ['sethost("h")', 'sip:bob:pw@h:5066;transport=tcp'],
    ['rewritehost("h")', 'sip:bob:pw@h:5066;transport=tcp'],
    ['sethostport("m:67")', 'sip:bob:pw@m:67;transport=tcp'],
    ['sethostport("m")', 'sip:bob:pw@m;transport=tcp'],
    ['sethostporttrans("n:66;transport=udp")', 'sip:bob:pw@n:66;transport=udp;transport=tcp'],
    ['setport("99")', 'sip:bob:pw@test.local:99;transport=tcp'],
    ['setuser("x")', 'sip:x:pw@test.local:5066;transport=tcp'],
    ['setuserpass("u:p")', 'sip:u:p@test.local:5066;transport=tcp'],
    ['seturi("tel:+123")', 'tel:+123'],
    ['userphone()', 'sip:bob:pw@test.local:5066;transport=tcp;user=phone'],
  ])('%s makes the Request-URI %s', async (call, expected) => {
    const router = await startRouter(`loadmodule "xlog.so"\nrequest_route { ${call}; xlog("$ru $rc"); }`)
    await router.handle(request({ uri }))
    expect(router.lines()).toEqual([`error: ${expected} 1`])
  })

  test('revert_uri() goes back to what was received', async () => {
    const router = await startRouter(
      'loadmodule "xlog.so"\nrequest_route { seturi("sip:x@y"); revert_uri(); xlog("$ru"); }',
    )
    await router.handle(request({ uri }))
    expect(router.lines()).toEqual([`error: ${uri}`])
  })

  test('an edit of what is no URI fails, and says so by -1', async () => {
    const router = await startRouter(
      'loadmodule "xlog.so"\nrequest_route { $ru="garbage"; strip(1); xlog("$rc"); sethost("h"); xlog("$rc"); }',
    )
    await router.handle(request())
    expect(router.lines()).toEqual(['error: -1', 'error: -1'])
  })

  test('flags', async () => {
    const router = await startRouter(
      'flags VOICE:7\nloadmodule "xlog.so"\nrequest_route { setflag(3); setflag(VOICE); xlog("$mf"); resetflag(3); if (isflagset(3)) { xlog("still"); } isflagset(VOICE); xlog("$rc $mF"); }',
    )
    await router.handle(request())
    expect(router.lines()).toEqual(['error: 136', 'error: 1 00000080'])
  })

  test('forward() relays statelessly, to where it is told', async () => {
    const router = await startRouter('request_route { forward("203.0.113.9", 5070); }')
    await router.handle(request({ uri: 'sip:bob@203.0.113.1' }))
    expect(router.sent).toMatchObject([
      { firstLine: 'MESSAGE sip:bob@203.0.113.1 SIP/2.0', address: '203.0.113.9', port: 5070 },
    ])
    const other = await startRouter('request_route { forward(); }')
    await other.handle(request({ uri: 'sip:bob@203.0.113.1:5090' }))
    expect(other.sent).toMatchObject([{ address: '203.0.113.1', port: 5090 }])
  })

  test('force_rport() answers to the port that the request came from', async () => {
    const script = (call: string) =>
      `loadmodule "sl.so"\nrequest_route { ${call} sl_send_reply("200", "OK"); }`
    const without = { via: 'SIP/2.0/UDP 198.51.100.7:5099;branch=z9hG4bKnr' }
    const plain = await startRouter(script(''))
    await plain.handle(request(without))
    expect(plain.sent).toMatchObject([{ port: 5099 }])
    const forced = await startRouter(script('force_rport();'))
    await forced.handle(request(without))
    expect(forced.sent).toMatchObject([{ port: 5062 }])
    expect(forced.sent[0]?.text).toContain('rport=5062')
  })

  test('force_send_socket() takes a socket by its address or its name, and refuses others', async () => {
    const router = await startRouter(
      'loadmodule "xlog.so"\nrequest_route { force_send_socket("inside"); xlog("$rc $fs"); force_send_socket("udp:192.0.2.1:5060"); xlog("$rc $fs"); force_send_socket("udp:9.9.9.9:1"); xlog("$rc $fs"); }',
    )
    await router.handle(request())
    expect(router.lines().filter((line) => line.startsWith('error'))).toEqual([
      'error: 1 udp:10.0.0.1:5080',
      'error: 1 udp:192.0.2.1:5060',
      'error: -1 udp:192.0.2.1:5060',
    ])
  })

  test('set_advertised_address() is what our Via says', async () => {
    const router = await startRouter(
      'request_route { set_advertised_address("router.example"); set_advertised_port(5099); forward("203.0.113.9"); }',
    )
    await router.handle(request())
    expect(router.sent[0]?.text).toContain('Via: SIP/2.0/UDP router.example:5099;')
  })

  test('log() writes at its level', async () => {
    const router = await startRouter(
      'request_route { log("plain\\n"); log("L_INFO", "info"); log(0, "warning"); }',
    )
    await router.handle(request())
    expect(router.lines()).toEqual(['error: plain', 'info: info', 'warn: warning'])
  })

  test('what is for connections alone is accepted', async () => {
    const router = await startRouter(
      'loadmodule "xlog.so"\nrequest_route { set_reply_no_connect(); set_forward_no_connect(); set_reply_close(); set_forward_close(); force_tcp_alias(); add_local_rport(); xlog("$rc"); }',
    )
    await router.handle(request())
    expect(router.lines()).toEqual(['error: 1'])
  })
})

describe('a route context', () => {
  test('logs name the call, its source and the place in the script', async () => {
    const router = await startRouter('loadmodule "xlog.so"\nrequest_route {\n  xlog("here");\n}')
    await router.handle(request({ callId: 'the-call', method: 'OPTIONS' }))
    expect(router.log.lines.find(({ message }) => message === 'here')?.fields).toMatchObject({
      callId: 'the-call',
      cseq: '1 OPTIONS',
      method: 'OPTIONS',
      source: 'udp:198.51.100.7:5062',
      place: 'test.cfg:3',
    })
  })

  test('msg_apply_changes() makes the changes visible', async () => {
    const router = await startRouter(
      'loadmodule "xlog.so"\nloadmodule "textops.so"\nloadmodule "textopsx.so"\nrequest_route { append_hf("X-New: 1\\r\\n"); xlog("$hdr(X-New)"); msg_apply_changes(); xlog("$hdr(X-New)"); }',
    )
    await router.handle(request())
    expect(router.lines()).toEqual(['error: <null>', 'error: 1'])
  })
})
