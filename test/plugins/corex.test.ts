import { describe, expect, test } from 'vitest'
import { answer, type RequestParts, request, startRouter, type TestRouter } from '../script/router.ts'

async function run(statements: string, parts: RequestParts = {}, globals = ''): Promise<TestRouter> {
  const router = await startRouter(
    `loadmodule "pv.so"\nloadmodule "xlog.so"\nloadmodule "corex.so"\n${globals}\nrequest_route { ${statements} }`,
  )
  await router.handle(request(parts))
  return router
}

const errorLines = (router: TestRouter) =>
  router
    .lines()
    .filter((line) => line.startsWith('error: '))
    .map((line) => line.slice(7))

describe('functions (measured on Kamailio 5.6.3)', () => {
  test.each([
    [
      'append_branch(); xlog("$rc $bR"); append_branch("sip:z@z", "0.5"); xlog("$rc $bR");',
      '1 sip:bob@example.com',
      '1 sip:bob@example.com, <sip:z@z>;q=0.5',
    ],
    ['append_branch("sip:z@z", "2"); xlog("$rc"); append_branch("sip:z@z", "x"); xlog("$rc");', '-1', '-1'],
    [
      'append_branch("sip:a@a"); append_branch("sip:b@b"); remove_branch(0); xlog("$rc $bR"); remove_branch(7); xlog("$rc"); clear_branches(); xlog("$rc $bR");',
      '1 sip:b@b',
      '-1',
      '1 <null>',
    ],
    [
      '$var(i)=0; while ($var(i) < 20) { append_branch("sip:x@y"); $var(i)=$var(i)+1; } xlog("$rc $branch(count)");',
      '-1 11',
    ],
    [
      'msg_iflag_set("USE_UAC_FROM"); xlog("$rc"); msg_iflag_is_set("USE_UAC_FROM"); xlog("$rc"); msg_iflag_reset("USE_UAC_FROM"); msg_iflag_is_set("USE_UAC_FROM"); xlog("$rc");',
      '1',
      '1',
      '-2',
    ],
    [
      'set_send_socket("udp:10.0.0.1:5080"); xlog("$rc $fs"); set_send_socket_name("outside"); xlog("$fsn"); set_send_socket("udp:9.9.9.9:1"); xlog("$rc $fsn");',
      '1 udp:10.0.0.1:5080',
      'outside',
      '1 outside',
    ],
    ['is_socket_name("inside"); xlog("$rc"); is_socket_name("nope"); xlog("$rc");', '1', '-1'],
    ['is_incoming(); xlog("$rc"); is_faked_msg(); xlog("$rc");', '-1', '-1'],
    [
      'has_ruri_user(); xlog("$rc"); has_user_agent(); xlog("$rc"); $rU=$null; has_ruri_user(); xlog("$rc");',
      '1',
      '-1',
      '-1',
    ],
    ['setxflag(40); isxflagset(40); xlog("$rc"); resetxflag(40); isxflagset(40); xlog("$rc");', '1', '-1'],
    [
      'xlog("$lsock(name/inside) $lsock(listen/udp:10.0.0.1:5080) $lsock(name/nope)");',
      'udp:10.0.0.1:5080 inside <null>',
    ],
  ])('%s', async (statements, ...expected) => {
    expect(errorLines(await run(statements))).toEqual(expected)
  })

  test('a flag that is none is told when the script is loaded', async () => {
    await expect(run('msg_iflag_set("NONSENSE");')).rejects.toThrow('there is no flag NONSENSE')
  })

  test('append_branch() takes next hop, socket, flags and path along', async () => {
    const router = await run(
      '$du="sip:1.2.3.4"; $fs="udp:10.0.0.1:5080"; $bf=4; append_branch(); xlog("$branch(dst_uri) $branch(send_socket) $branch(flags)");',
    )
    expect(errorLines(router)).toEqual(['sip:1.2.3.4 udp:10.0.0.1:5080 4'])
  })

  test('send_udp() sends what was received, to an address, $du, or the Request-URI', async () => {
    const text = request({ uri: 'sip:bob@203.0.113.1' })
    const send = async (statements: string) => {
      const router = await startRouter(`loadmodule "corex.so"\nrequest_route { ${statements} }`)
      await router.handle(text)
      return router.sent
    }
    expect(await send('send_udp("203.0.113.5:5090");')).toMatchObject([
      { text, address: '203.0.113.5', port: 5090 },
    ])
    expect(await send('$du="sip:203.0.113.6"; send_udp();')).toMatchObject([
      { address: '203.0.113.6', port: 5060 },
    ])
    expect(await send('send_udp();')).toMatchObject([{ address: '203.0.113.1', port: 5060 }])
    expect(await send('send_udp("a.name.example");')).toEqual([])
  })

  test('send_data() sends octets', async () => {
    const router = await run('send_data("sip:203.0.113.5:7000", "hello $rU"); xlog("$rc");')
    expect(router.sent).toMatchObject([{ text: 'hello bob', address: '203.0.113.5', port: 7000 }])
  })

  test('alias_subdomains: what ends in the domain is us', async () => {
    const globals = 'modparam("corex", "alias_subdomains", "udp:Example.NET:5060")'
    const isOwn = async (uri: string) =>
      errorLines(await run('if (uri == myself) { xlog("yes"); } else { xlog("no"); }', { uri }, globals))
    expect(await isOwn('sip:x@sub.example.net')).toEqual(['yes'])
    expect(await isOwn('sip:x@a.b.EXAMPLE.net:5060')).toEqual(['yes'])
    expect(await isOwn('sip:x@example.net')).toEqual(['no'])
    expect(await isOwn('sip:x@notexample.net')).toEqual(['no'])
    expect(await isOwn('sip:x@sub.example.net:5070')).toEqual(['no'])
  })

  test('forward_reply() forwards the reply to a request that was forwarded statelessly', async () => {
    const router = await startRouter(
      'loadmodule "corex.so"\nrequest_route { forward("203.0.113.9"); }\nreply_route { forward_reply(); drop; }',
    )
    await router.handle(request())
    const [forwarded] = router.sent
    if (forwarded) await router.handle(answer(forwarded, 200, 'OK'), { address: '203.0.113.9', port: 5060 })
    expect(router.sent.map(({ firstLine }) => firstLine)).toEqual([
      'MESSAGE sip:bob@example.com SIP/2.0',
      'SIP/2.0 200 OK',
    ])
  })
})
