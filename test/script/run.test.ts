import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { limits } from '../../src/limits.ts'
import { isFault, scanMessage } from '../../src/sip/scan.ts'
import { answer, request, startRouter, type TestRouter } from './router.ts'

/** Functions that fail and wait in every way that somebody's plugin may. */
const troublesome = `
import { definePlugin, anyRoute } from 'viaduct/plugin'
const f = (more = {}) => ({ in: anyRoute, returns: { 1: 'always' }, doc: 'For tests.', ...more })
let release = []
export default definePlugin({
  name: 'trouble', summary: 'Trouble.',
  functions: {
    fails: f(), fails_oddly: f(), rejects: f({ waits: true }), never: f({ waits: true }), waits: f({ waits: true }),
    replies_later: f(), reply_later_fails: f(), replies: f(), lets_go: f(),
  },
  variables: { bad: { type: 'string', doc: 'Throws.' } },
  setup: ({ clock }) => ({
    functions: {
      fails() { throw new Error('a defect') },
      fails_oddly() { throw 'not even an Error' },
      rejects: () => Promise.reject(new Error('a late defect')),
      never: () => new Promise((resolve) => release.push(resolve)),
      waits: () => new Promise((resolve) => clock.schedule(1000, () => resolve(1))),
      replies_later: (c) => c.replyLater(new Promise((r) => clock.schedule(500, () => r(null))), 202, 'Accepted'),
      reply_later_fails: (c) => c.replyLater(Promise.reject(new Error('x')), 202, 'Accepted'),
      replies: (c) => c.reply(404, 'Not Found'),
      lets_go() { for (const go of release) go(1); release = []; return 1 },
    },
    variables: { bad: { read() { throw new Error('a bad variable') } } },
  }),
})
`

const directory = mkdtempSync(join(tmpdir(), 'viaduct-run-'))
writeFileSync(join(directory, 'trouble.ts'), troublesome)

function start(script: string): Promise<TestRouter> {
  const modules =
    'loadmodule "tm.so"\nloadmodule "sl.so"\nloadmodule "pv.so"\nloadmodule "xlog.so"\nloadmodule "./trouble.ts"\n'
  return startRouter(modules + script, { path: join(directory, 'edge.cfg') })
}

const statuses = (router: TestRouter) => router.sent.map(({ firstLine }) => firstLine)

describe('a function or variable that throws costs one message', () => {
  test.each([
    ['a function', 'fails();', 'fails()', 'a defect'],
    ['what is no Error', 'fails_oddly();', 'fails_oddly()', 'not even an Error'],
    ['a rejected promise', 'rejects();', 'rejects()', 'a late defect'],
    ['a variable', '$var(x) = $bad;', '$var(x)', 'a bad variable'],
    ['a variable in a condition', 'if ($bad == "x") { exit; }', 'if', 'a bad variable'],
    ['a variable in a text', 'xlog("$bad");', 'xlog', 'a bad variable'],
    ['within a route', 'route(DEEP);', 'fails()', 'a defect'],
  ])('%s: one 500, and a line with the place in the script', async (_what, statement, place, message) => {
    const router = await start(`request_route {\n  ${statement}\n}\nroute[DEEP] {\n  fails();\n}`)
    await router.handle(request())
    expect(statuses(router)).toEqual(['SIP/2.0 500 Server Internal Error'])
    const line = router.lines().find((text) => text.startsWith('error:'))
    expect(line).toContain(message)
    expect(line).toContain(place)
    expect(line).toMatch(/edge\.cfg:\d+/)
    await router.handle(request())
    expect(router.sent).toHaveLength(2)
  })

  test('never a second final answer', async () => {
    const router = await start('request_route { replies(); fails(); }')
    await router.handle(request())
    expect(statuses(router)).toEqual(['SIP/2.0 404 Not Found'])
  })

  test('not for a request that was relayed: its callee answers', async () => {
    const router = await start('request_route { $du="sip:203.0.113.9"; t_relay(); fails(); }')
    await router.handle(request())
    expect(statuses(router)).toEqual(['MESSAGE sip:bob@example.com SIP/2.0'])
  })

  test('not for an ACK', async () => {
    const router = await start('request_route { fails(); }')
    await router.handle(request({ method: 'ACK' }))
    expect(router.sent).toEqual([])
  })

  test('a stateful request gets its 500 by its transaction', async () => {
    const router = await start('request_route { t_newtran(); fails(); }')
    const text = request()
    await router.handle(text)
    await router.handle(text)
    expect(statuses(router)).toEqual([
      'SIP/2.0 500 Server Internal Error',
      'SIP/2.0 500 Server Internal Error',
    ])
    expect(router.lines().filter((line) => line.includes('a defect'))).toHaveLength(1)
  })

  test('a branch route that throws keeps its branch back, a reply route lets the reply pass', async () => {
    const dropped = await start(
      'request_route { $du="sip:203.0.113.9"; t_on_branch("B"); t_relay(); }\nbranch_route[B] { fails(); }',
    )
    await dropped.handle(request())
    expect(statuses(dropped).filter((line) => line.startsWith('MESSAGE'))).toEqual([])

    const passed = await start(
      'request_route { $du="sip:203.0.113.9"; t_on_reply("R"); t_relay(); }\nonreply_route[R] { fails(); }\nreply_route { fails(); }',
    )
    await passed.handle(request())
    const [relayed] = passed.sent
    if (relayed) await passed.handle(answer(relayed, 200, 'OK'), { address: '203.0.113.9', port: 5060 })
    expect(statuses(passed).at(-1)).toBe('SIP/2.0 200 OK')
  })
})

describe('a run that waits', () => {
  test('goes on when what it waited for is there, and others overtake it', async () => {
    const router = await start(
      'request_route { if ($rU == "slow") { waits(); } xlog("$rU"); sl_send_reply("200", "OK"); }',
    )
    router.receive(request({ uri: 'sip:slow@h' }))
    await router.handle(request({ uri: 'sip:fast@h' }))
    expect(router.lines()).toEqual(['error: fast'])
    expect(router.engine.suspendedCount).toBe(1)
    await router.pass(1000)
    expect(router.lines()).toEqual(['error: fast', 'error: slow'])
    expect(router.engine.suspendedCount).toBe(0)
  })

  test('$var belongs to the message, not to the process', async () => {
    const router = await start('request_route { xlog("$var(x)"); $var(x) = $rU; waits(); xlog("$var(x)"); }')
    router.receive(request({ uri: 'sip:one@h' }))
    router.receive(request({ uri: 'sip:two@h' }))
    await router.pass(1000)
    expect(router.lines()).toEqual(['error: 0', 'error: 0', 'error: one', 'error: two'])
  })

  test('absorbs retransmissions meanwhile', async () => {
    const router = await start('request_route { xlog("run"); waits(); sl_send_reply("200", "OK"); }')
    const text = request()
    await router.handle(text)
    await router.handle(text)
    await router.pass(1000)
    expect(router.lines()).toEqual(['error: run'])
    expect(statuses(router)).toEqual(['SIP/2.0 200 OK'])
  })

  test('is given up at the deadline: a 500, and what it does afterwards has no effect', async () => {
    const router = await start(
      'request_route { if ($rU == "go") { lets_go(); exit; } never(); xlog("late"); sl_send_reply("200", "OK"); }',
    )
    await router.handle(request())
    await router.pass(limits.scriptWaitMillisecondsMax - 1)
    expect(router.sent).toEqual([])
    await router.pass(1)
    expect(statuses(router)).toEqual(['SIP/2.0 500 Server Time-out'])
    expect(router.engine.suspendedCount).toBe(0)
    await router.handle(request({ uri: 'sip:go@h' }))
    expect(router.sent).toHaveLength(1)
    expect(router.lines().some((line) => line.includes('late'))).toBe(false)
  })

  test('and more of them than there may be: 503 at once', async () => {
    const router = await start('request_route { never(); }')
    const [socket] = router.services.sockets.sockets
    const message = scanMessage(request())
    if (!socket || isFault(message)) throw new Error('the request is right')
    const flow = { socket, address: '198.51.100.7', port: 5062 }
    for (let i = 0; i < limits.suspendedRunsMax; i++) router.engine.onRequest(message, flow)
    expect(router.engine.suspendedCount).toBe(limits.suspendedRunsMax)
    await router.handle(request())
    expect(statuses(router)).toEqual(['SIP/2.0 503 Service Unavailable'])
    expect(router.sent[0]?.text).toContain('Retry-After: ')
    await router.pass(limits.scriptWaitMillisecondsMax)
    expect(router.engine.suspendedCount).toBe(0)
  })

  test('in a branch route holds its branch back until it is decided', async () => {
    const router = await start(
      'request_route { $du="sip:203.0.113.9"; t_on_branch("B"); t_relay(); }\nbranch_route[B] { waits(); $rU="later"; }',
    )
    await router.handle(request())
    expect(router.sent).toEqual([])
    await router.pass(1000)
    expect(statuses(router)).toEqual(['MESSAGE sip:later@example.com SIP/2.0'])
  })

  test('by t_suspend() goes on with what the script had made of the request', async () => {
    const router = await start(
      'loadmodule "textops.so"\nloadmodule "tmx.so"\n' +
        'request_route { if ($rU == "go") { t_continue("$shv(i)", "$shv(l)", "ON"); exit; }' +
        ' $du="sip:203.0.113.9"; append_hf("X-Early: yes\\r\\n"); t_suspend(); $shv(i)=$T(id_index); $shv(l)=$T(id_label); }\n' +
        'route[ON] { append_hf("X-Late: yes\\r\\n"); t_relay(); }',
    )
    await router.handle(request())
    expect(router.sent).toEqual([])
    await router.handle(request({ uri: 'sip:go@h' }))
    const [relayed] = router.sent
    expect(relayed).toMatchObject({ address: '203.0.113.9' })
    expect(relayed?.text).toContain('X-Early: yes\r\nX-Late: yes\r\n')
  })

  test('engine.idle() tells when none waits any more', async () => {
    const router = await start('request_route { waits(); }')
    await router.handle(request())
    let isIdle = false
    void router.engine.idle().then(() => {
      isIdle = true
    })
    await router.pass(999)
    expect(isIdle).toBe(false)
    await router.pass(1)
    expect(isIdle).toBe(true)
  })
})

describe('an answer that is promised', () => {
  test('leaves when it is ready; retransmissions are absorbed and nothing else can be answered', async () => {
    const router = await start('request_route { replies_later(); sl_send_reply("404", "Not Found"); }')
    const text = request()
    await router.handle(text)
    await router.handle(text)
    expect(router.sent).toEqual([])
    await router.pass(500)
    expect(statuses(router)).toEqual(['SIP/2.0 202 Accepted'])
  })

  test('becomes a 500 if it fails', async () => {
    const router = await start('request_route { reply_later_fails(); }')
    await router.handle(request())
    expect(statuses(router)).toEqual(['SIP/2.0 500 Server Internal Error'])
  })
})

describe('how routes end', () => {
  test('request_route: nothing is sent by itself', async () => {
    const router = await start('request_route { xlog("seen"); }')
    await router.handle(request())
    expect(router.sent).toEqual([])
  })

  test.each([
    ['falls off the end', 'xlog("r");', true],
    ['exit', 'exit;', true],
    ['return', 'return;', true],
    ['drop', 'drop;', false],
    ['return 0', 'return 0;', false],
    ['return -1', 'return -1;', false],
  ])('reply_route, %s', async (_how, statements, isPassed) => {
    const router = await start(
      `request_route { $du="sip:203.0.113.9"; t_relay(); }\nreply_route { ${statements} }`,
    )
    await router.handle(request())
    const [relayed] = router.sent
    if (relayed) await router.handle(answer(relayed, 200, 'OK'), { address: '203.0.113.9', port: 5060 })
    expect(statuses(router).includes('SIP/2.0 200 OK')).toBe(isPassed)
  })

  test.each([
    ['drop', '$rs == "180"', 'drop;', ['SIP/2.0 200 OK']],
    ['exit', '$rs == "180"', 'exit;', ['SIP/2.0 180 Ringing', 'SIP/2.0 200 OK']],
    ['drop of a final reply', '$rs == "200"', 'drop;', ['SIP/2.0 180 Ringing', 'SIP/2.0 200 OK']],
  ])('onreply_route[N], %s', async (_how, condition, statement, expected) => {
    const router = await start(
      `request_route { $du="sip:203.0.113.9"; t_on_reply("R"); t_relay(); }\nonreply_route[R] { if (${condition}) { ${statement} } }`,
    )
    await router.handle(request({ method: 'INVITE' }))
    const relayed = router.sent.find(({ firstLine }) => firstLine.startsWith('INVITE'))
    if (relayed) {
      await router.handle(answer(relayed, 180, 'Ringing'), { address: '203.0.113.9', port: 5060 })
      await router.handle(answer(relayed, 200, 'OK'), { address: '203.0.113.9', port: 5060 })
    }
    expect(statuses(router).filter((line) => /180|200/.test(line))).toEqual(expected)
  })

  test('failure_route sees the request as it was relayed first, and may relay anew', async () => {
    const router = await start(
      'request_route { setflag(3); $avp(a)="kept"; $rU="first"; $du="sip:203.0.113.9"; t_on_failure("F"); t_relay(); }\n' +
        'failure_route[F] { xlog("$ru $avp(a) $rs"); if (isflagset(3)) { $ru="sip:second@203.0.113.10"; $du=$null; t_relay(); } }',
    )
    await router.handle(request())
    const [first] = router.sent
    if (first) await router.handle(answer(first, 404, 'Not Found'), { address: '203.0.113.9', port: 5060 })
    expect(router.lines()).toEqual(['error: sip:first@example.com kept <null>'])
    expect(statuses(router)).toEqual([
      'MESSAGE sip:first@example.com SIP/2.0',
      'MESSAGE sip:second@203.0.113.10 SIP/2.0',
    ])
  })

  test('branch_route: a drop keeps the branch back, and its edits are its own', async () => {
    const router = await start(
      'loadmodule "corex.so"\nloadmodule "textops.so"\n' +
        'request_route { $du="sip:203.0.113.9"; append_branch("sip:two@203.0.113.10"); append_branch("sip:three@203.0.113.11"); t_on_branch("B"); t_relay(); }\n' +
        'branch_route[B] { if ($rU == "two") { drop; } append_hf("X-Branch: $rU\\r\\n"); }',
    )
    await router.handle(request())
    const relayed = router.sent.filter(({ firstLine }) => firstLine.startsWith('MESSAGE'))
    expect(relayed.map(({ text }) => /X-Branch: (\w+)/g.exec(text)?.[1])).toEqual(['bob', 'three'])
  })

  test('onsend_route sees where the message goes, and may keep it back', async () => {
    const router = await start(
      'request_route { $du="sip:203.0.113.9:5070"; t_relay(); }\n' +
        'onsend_route { xlog("$snd(ip):$snd(port) $sndfrom(ip)"); if (to_port == 5070) { drop; } }',
    )
    await router.handle(request())
    expect(router.lines()[0]).toBe('error: 203.0.113.9:5070 192.0.2.1')
    expect(statuses(router).some((line) => line.startsWith('MESSAGE'))).toBe(false)
  })

  test('event_route[core:worker-one-init] runs at the start, once', async () => {
    const router = await start('request_route { exit; }\nevent_route[core:worker-one-init] { xlog("up"); }')
    expect(router.lines()).toEqual(['error: up'])
  })

  test('event_route[core:msg-received] sees every message, and may discard it', async () => {
    const router = await start(
      'received_route_mode=1\nrequest_route { sl_send_reply("200", "OK"); }\n' +
        'event_route[core:msg-received] { if ($si == "198.51.100.66") { drop; } }',
    )
    await router.handle(request(), { address: '198.51.100.66' })
    expect(router.sent).toEqual([])
    await router.handle(request())
    expect(statuses(router)).toEqual(['SIP/2.0 200 OK'])
  })

  test('what reply_route changes is in the reply that goes on', async () => {
    const router = await start(
      'loadmodule "textops.so"\nrequest_route { $du="sip:203.0.113.9"; t_relay(); }\nreply_route { append_hf("X-Seen: yes\\r\\n"); }',
    )
    await router.handle(request())
    const [relayed] = router.sent
    if (relayed) await router.handle(answer(relayed, 200, 'OK'), { address: '203.0.113.9', port: 5060 })
    expect(router.sent.at(-1)?.text).toContain('X-Seen: yes\r\n')
  })
})

describe('listeners of plugins', () => {
  test('that throw cost themselves alone', async () => {
    writeFileSync(
      join(directory, 'listener.ts'),
      `import { definePlugin } from 'viaduct/plugin'
export default definePlugin({ name: 'listener', summary: 'Listens.', setup(host) {
  host.onArrival(() => { throw new Error('deaf') })
  host.onSendError(() => { throw new Error('deaf') })
  let times = 0
  host.every(1000, () => { host.log.info({}, 'tick ' + ++times); if (times === 1) throw new Error('once') })
  return {}
} })`,
    )
    const router = await start('loadmodule "./listener.ts"\nrequest_route { sl_send_reply("200", "OK"); }')
    await router.handle(request())
    expect(statuses(router)).toEqual(['SIP/2.0 200 OK'])
    const [socket] = router.services.sockets.sockets
    if (socket) router.engine.onSendError({ socket, address: '203.0.113.9', port: 5060 }, 'ECONNREFUSED')
    expect(router.engine.onArrival(null, { socket, address: '203.0.113.9', port: 5060 } as never)).toBe(true)
    await router.pass(2500)
    expect(router.lines().filter((line) => line.startsWith('info: tick'))).toEqual([
      'info: tick 1',
      'info: tick 2',
    ])
    await router.engine.close()
    await router.pass(5000)
    expect(router.lines().filter((line) => line.startsWith('info: tick'))).toHaveLength(2)
  })

  test('who takes a request answers for it: the script never sees it, nor if that throws', async () => {
    writeFileSync(
      join(directory, 'taker.ts'),
      `import { definePlugin } from 'viaduct/plugin'
export default definePlugin({ name: 'taker', summary: 'Takes.', setup(host) {
  host.onRequest((request) => { if (request.method === 'INFO') throw new Error('cannot') ; return false })
  host.onRequest((request, flow) => {
    return request.method === 'OPTIONS' && host.proxy.stateless.reply(request, flow, 403, 'Taken')
  })
  return {}
} })`,
    )
    const router = await start('loadmodule "./taker.ts"\nrequest_route { sl_send_reply("200", "OK"); }')
    for (const method of ['MESSAGE', 'OPTIONS', 'INFO']) await router.handle(request({ method }))
    expect(statuses(router)).toEqual(['SIP/2.0 200 OK', 'SIP/2.0 403 Taken'])
    expect(router.lines()).toContainEqual(expect.stringContaining('a module that answers for requests threw'))
  })
})

describe('another version of the script', () => {
  test('takes over new messages; a script with other modules is refused', async () => {
    const { compiler } = await import('../../grammar/compile.ts')
    const { loadScript } = await import('../../src/script/engine.ts')
    const router = await startRouter('loadmodule "xlog.so"\nrequest_route { xlog("old"); }')
    const load = async (text: string) => (await loadScript({ path: 'test.cfg', text, compiler })).loaded
    const next = await load('loadmodule "xlog.so"\nrequest_route { xlog("new"); }')
    const other = await load('loadmodule "pv.so"\nrequest_route { exit; }')
    if (!next || !other) throw new Error('the scripts are right')
    expect(router.engine.swap(other)).toMatchObject([{ code: 'script/needs-restart' }])
    await router.handle(request())
    expect(router.engine.swap(next)).toEqual([])
    await router.handle(request())
    expect(router.lines()).toEqual(['error: old', 'error: new'])
    expect(router.engine.loaded).toBe(next)
  })

  test('leaves transactions on the version that they began with', async () => {
    const { compiler } = await import('../../grammar/compile.ts')
    const { loadScript } = await import('../../src/script/engine.ts')
    const script = (word: string) =>
      `loadmodule "tm.so"\nloadmodule "xlog.so"\nrequest_route { $du="sip:203.0.113.9"; t_on_reply("R"); t_relay(); }\nonreply_route[R] { xlog("${word}"); }`
    const router = await startRouter(script('old'))
    await router.handle(request())
    const [relayed] = router.sent
    const { loaded } = await loadScript({ path: 'test.cfg', text: script('new'), compiler })
    if (!relayed || !loaded) throw new Error('the script is right')
    router.engine.swap(loaded)
    await router.handle(answer(relayed, 200, 'OK'), { address: '203.0.113.9', port: 5060 })
    expect(router.lines()).toEqual(['error: old'])
  })
})

test('a $var whose name is made at run time begins as 0 for each message, even if no other $var stands in the script', async () => {
  const router = await startRouter(`
    loadmodule "sl.so"
    request_route { $var($fU) = $var($fU) + 1; sl_send_reply("200", "$var($fU)"); }
  `)
  router.receive(request())
  router.receive(request())
  expect(router.sent.map(({ firstLine }) => firstLine)).toEqual(['SIP/2.0 200 1', 'SIP/2.0 200 1'])
})
