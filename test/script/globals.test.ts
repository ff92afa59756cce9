import { describe, expect, test } from 'vitest'
import { compiler } from '../../grammar/compile.ts'
import { loadScript } from '../../src/script/engine.ts'
import { ladder } from '../../src/testing/index.ts'
import { request, startRouter } from './router.ts'

/** Global parameters that change what the router does. */
describe('log_prefix', () => {
  test('stands before every line that the script writes, evaluated for each', async () => {
    const router = await startRouter(`
      log_prefix="{$mt $hdr(CSeq) $var(n)} "
      loadmodule "xlog.so"
      request_route { $var(n) = 7; xlog("L_INFO", "one\\n"); $var(n) = 8; log("two\\n"); }`)
    await router.handle(request({ method: 'OPTIONS' }))
    const lines = router.log.lines
      .filter(({ message }) => message.startsWith('{'))
      .map(({ message }) => message)
    expect(lines).toEqual(['{1 1 OPTIONS 7} one', '{1 1 OPTIONS 8} two'])
  })

  test('a prefix that makes no sense is an error at start', async () => {
    const { loaded, diagnostics } = await loadScript({
      path: 'x.cfg',
      text: 'log_prefix="$nosuch "\nrequest_route { exit; }',
      compiler,
    })
    expect(loaded).toBeNull()
    expect(diagnostics.map(({ code, message }) => `${code} ${message}`).join()).toMatch(
      /log_prefix.*\$nosuch/,
    )
  })
})

describe('max_branches', () => {
  const forks = (globals: string) => ({
    script: `
      ${globals}
      loadmodule "tm.so"
      loadmodule "corex.so"
      loadmodule "xlog.so"
      request_route {
        $var(i) = 0;
        while ($var(i) < 40) { append_branch("sip:b$var(i)@192.0.2.12"); $var(i) = $var(i) + 1; }
        xlog("L_INFO", "bs=$bs\\n");
        $ru = "sip:b@192.0.2.12";
        t_relay();
      }`,
  })

  for (const [globals, count] of [
    ['', 12],
    ['max_branches=4', 4],
    ['max_branches=20', 20],
    // Kamailio's own bound.
    ['max_branches=1000', 31],
  ] as const) {
    ladder(
      `${globals || 'by default'}: ${count} at most`,
      forks(globals),
      async ({ alice, advance, network, log }) => {
        await alice.sends('MESSAGE sip:bob@example.com')
        await advance(100)
        const targets = new Set(
          network.captured
            .filter(({ fromHost, text }) => fromHost === 'router' && text.startsWith('MESSAGE'))
            .map(({ text }) => text.split(' ')[1]),
        )
        expect(targets.size).toBe(count)
        expect(log.messages('info').join()).toContain(`bs=${count}`)
      },
    )
  }
})

describe('advertised_address and advertised_port', () => {
  const script = (globals: string) => ({
    script: `
      ${globals}
      loadmodule "tm.so"
      loadmodule "sl.so"
      loadmodule "rr.so"
      request_route {
        if (loose_route()) { t_relay(); exit; }
        record_route();
        $du = "sip:192.0.2.12";
        t_relay();
      }`,
  })

  for (const [globals, via, recordRoute] of [
    ['advertised_address="edge.example.com"', 'edge.example.com;', '<sip:edge.example.com;lr'],
    ['advertised_address=203.0.113.7 advertised_port=5080', '203.0.113.7:5080;', '<sip:203.0.113.7:5080;lr'],
    ['advertised_port=5080', '192.0.2.1:5080;', '<sip:192.0.2.1:5080;lr'],
    [
      'advertised_address="no.example.com" listen=udp:192.0.2.1:5060 advertise yes.example.com:5070',
      'yes.example.com:5070;',
      '<sip:yes.example.com:5070;lr',
    ],
  ] as const) {
    ladder(
      globals,
      script(globals.replaceAll(' ', '\n').replace('\nadvertise\n', ' advertise ')),
      { listen: null },
      async ({ alice, bob, router }) => {
        await alice.sends('INVITE sip:bob@example.com')
        const invite = await bob.receives('INVITE')
        expect(invite.header('Via')).toContain(`SIP/2.0/UDP ${via}`)
        expect(invite.header('Record-Route')).toContain(recordRoute)
        // Whoever advertises has somebody who forwards that port here.
        await bob.sends(200, { to: router })
        await alice.receives(200)
        // Our own Route comes back with the advertised address, and is ours.
        await alice.sends('ACK')
        expect((await bob.receives('ACK')).header('Route')).toBe('')
      },
    )
  }
})
