import { describe, expect, it } from 'vitest'
import { ladder } from '../../src/testing/index.ts'
import { saidOf } from '../proxy/script-answers.ts'

const script = (body: string, more = '', params = '') => ({
  script: `
loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "tmx.so"
loadmodule "pv.so"
loadmodule "corex.so"
loadmodule "textops.so"
loadmodule "textopsx.so"
${params}
request_route {
  if (is_method("CANCEL")) { if (t_check_trans()) { t_relay(); } exit; }
  if (is_method("ACK")) { if (t_check_trans()) { t_relay(); } exit; }
${body}
}
${more}
`,
})

const to = (address: string) => `sip:u@${address}:5060`
const bobAt = to('192.0.2.12')
const carolAt = to('192.0.2.13')

ladder('a call through t_relay: 100, 180, 200, ACK', script('t_relay();'), async ({ alice, bob }) => {
  await alice.sends(`INVITE ${bob.contact}`)
  await alice.receives('100 trying -- your call is important to us')
  await bob.receives('INVITE')
  await bob.sends(180)
  await alice.receives(180)
  await bob.sends(200)
  await alice.receives(200)
  await alice.sends('ACK')
  await bob.receives('ACK')
})

ladder(
  'auto_inv_100=0: no 100',
  script('t_relay();', '', 'modparam("tm", "auto_inv_100", 0)'),
  async ({ alice, bob }) => {
    await alice.sends(`INVITE ${bob.contact}`)
    await bob.receives('INVITE')
    expect(alice.inbox).toEqual([])
  },
)

ladder(
  'parallel forking: when one answers 200, the other is cancelled',
  script(`$ru = "${bobAt}"; append_branch("${carolAt}"); t_relay();`),
  async ({ alice, bob, carol }) => {
    await alice.sends('INVITE sip:team@example.com')
    await bob.receives(`INVITE ${bobAt}`)
    const invite = await carol.receives(`INVITE ${carolAt}`)
    await carol.sends(180)
    await alice.receives(180)
    await bob.sends(200)
    await alice.receives(200)
    const cancel = await carol.receives('CANCEL')
    expect(cancel.header('Reason')).toBe('SIP;cause=200;text="Call completed elsewhere"')
    await carol.sends(200)
    await carol.sends(487, { request: invite })
    await alice.receivesNothing()
  },
)

ladder(
  'a CANCEL: 200 canceling, CANCEL to the ringing branch with its Reason, 487',
  script('t_relay();'),
  async ({ alice, bob }) => {
    await alice.sends(`INVITE ${bob.contact}`)
    const invite = await bob.receives('INVITE')
    await bob.sends(180)
    await alice.receives(180)
    await alice.sends('CANCEL', { headers: { Reason: 'SIP;cause=200' } })
    await alice.receives('200 canceling', { method: 'CANCEL' })
    expect((await bob.receives('CANCEL')).header('Reason')).toBe('SIP;cause=200')
    await bob.sends(200)
    await bob.sends(487, { request: invite })
    await alice.receives(487)
  },
)

describe('failure routes', () => {
  const serial = script(
    `$ru = "${bobAt}"; t_on_failure("NEXT"); t_relay();`,
    `failure_route[NEXT] {
  if (t_is_canceled()) { exit; }
  if (t_check_status("486|408")) { $ru = "${carolAt}"; t_relay(); }
}`,
    'modparam("tm", "failure_reply_mode", 3)',
  )

  ladder('busy: the next target', serial, async ({ alice, bob, carol }) => {
    await alice.sends('INVITE sip:team@example.com')
    await bob.receives('INVITE')
    await bob.sends(486)
    await carol.receives(`INVITE ${carolAt}`)
    await carol.sends(200)
    await alice.receives(200)
  })

  ladder('no answer: the next target', serial, async ({ alice, bob, carol, advance }) => {
    await alice.sends('INVITE sip:team@example.com')
    await bob.receives('INVITE')
    await advance(30_100)
    await carol.receives('INVITE')
    await carol.sends(404)
    await alice.receives(404)
  })

  ladder('another failure goes upstream', serial, async ({ alice, bob, carol }) => {
    await alice.sends('INVITE sip:team@example.com')
    await bob.receives('INVITE')
    await bob.sends(404)
    await alice.receives(404)
    await carol.receivesNothing()
  })

  ladder('cancelled: nobody else is called', serial, async ({ alice, bob, carol }) => {
    await alice.sends('INVITE sip:team@example.com')
    const invite = await bob.receives('INVITE')
    await bob.sends(180)
    await alice.receives(180)
    await alice.sends('CANCEL')
    await alice.receives(200, { method: 'CANCEL' })
    await bob.receives('CANCEL')
    await bob.sends(486, { request: invite })
    await alice.receives(486)
    await carol.receivesNothing()
  })

  ladder(
    'a t_relay without anything new is -1, and the winner goes upstream (measured)',
    script(
      `$ru = "${bobAt}"; t_on_failure("SAME"); t_relay();`,
      'failure_route[SAME] { $var(r) = t_relay(); if ($var(r) == -1) { t_reply("480", "code $T_reply_code rc $var(r)"); } }',
    ),
    async ({ alice, bob }) => {
      await alice.sends('INVITE sip:team@example.com')
      await bob.receives('INVITE')
      await bob.sends(404)
      await alice.receives('480 code 404 rc -1')
    },
  )

  ladder(
    't_branch_timeout and t_branch_replied tell silence, a 408 and a callee that rang from each other',
    script(
      `$ru = "${bobAt}"; t_on_failure("ASK"); t_relay();`,
      `failure_route[ASK] {
  if (t_branch_timeout()) { t_reply("480", "timeout"); exit; }
  $var(any) = t_any_replied();
  if (t_branch_replied()) { t_reply("481", "rang, $T_reply_code, $var(any)"); exit; }
  t_reply("482", "never rang, $T_reply_code, $var(any)");
}`,
    ),
    async ({ alice, bob, advance }) => {
      await alice.sends('INVITE sip:team@example.com')
      await bob.receives('INVITE')
      await bob.sends(408)
      await alice.receives('482 never rang, 408, -1')
      await alice.sends('INVITE sip:team@example.com')
      await bob.receives('INVITE')
      await bob.sends(180)
      await alice.receives(180)
      await bob.sends(408)
      await alice.receives('481 rang, 408, 1')
      await alice.sends('INVITE sip:team@example.com')
      await bob.receives('INVITE')
      await advance(30_100)
      await alice.receives('480 timeout')
    },
  )
})

ladder(
  'serial forking by q, none last: t_load_contacts, t_next_contacts',
  script(
    `$ru = "${bobAt}"; append_branch("${carolAt}", "0.5"); t_load_contacts(); t_next_contacts(); t_on_failure("NEXT"); t_relay();`,
    'failure_route[NEXT] { if (t_next_contacts()) { t_relay(); } else { t_reply("480", "none left"); } }',
  ),
  async ({ alice, bob, carol }) => {
    await alice.sends('INVITE sip:team@example.com')
    await carol.receives('INVITE')
    await bob.receivesNothing(100)
    await carol.sends(486)
    await bob.receives(`INVITE ${bobAt}`)
  },
)

ladder(
  'a failure route may go on after a 603: to a voice mailbox, say',
  script(
    `$ru = "${bobAt}"; t_on_failure("MAILBOX"); t_relay();`,
    `failure_route[MAILBOX] { $ru = "${carolAt}"; t_relay(); }`,
  ),
  async ({ alice, bob, carol }) => {
    await alice.sends('INVITE sip:team@example.com')
    await bob.receives('INVITE')
    await bob.sends(603)
    await carol.receives(`INVITE ${carolAt}`)
    await carol.sends(200)
    await alice.receives(200)
  },
)

ladder(
  'branch and reply routes: $T_branch_idx, $T_reply_code',
  script(
    `$ru = "${bobAt}"; t_on_branch("B"); t_on_reply("R"); t_relay();`,
    `branch_route[B] { append_hf("X-Index: $T_branch_idx\\r\\n"); }
onreply_route[R] { append_hf("X-Code: $T_reply_code\\r\\n"); }`,
  ),
  async ({ alice, bob }) => {
    await alice.sends('MESSAGE sip:team@example.com')
    expect((await bob.receives('MESSAGE')).header('X-Index')).toBe('0')
    await bob.sends(202)
    expect((await alice.receives(202)).header('X-Code')).toBe('202')
  },
)

ladder(
  't_set_fr gives up earlier',
  script('t_set_fr(2000, 1000); t_relay();'),
  async ({ alice, bob, advance }) => {
    await alice.sends(`INVITE ${bob.contact}`)
    await bob.receives('INVITE')
    await advance(900)
    await alice.receivesNothing(50)
    await advance(200)
    await alice.receives('408 Request Timeout')
  },
)

ladder(
  'a host name: t_relay says 1 before it is known',
  script('$var(r) = t_relay(); xlog("rc $var(r)\\n");', '', 'loadmodule "xlog.so"'),
  { names: { 'bob.example': [{ address: '192.0.2.12', port: 5060 }] } },
  async ({ alice, bob }) => {
    await alice.sends('MESSAGE sip:bob@bob.example')
    await bob.receives('MESSAGE sip:bob@bob.example')
    await bob.sends(200)
    await alice.receives(200)
    await alice.sends('MESSAGE sip:bob@nowhere.example')
    await alice.receives('478 Unresolvable destination (478/TM)')
  },
)

ladder(
  't_relay_to with another next hop, and without an answer of ours',
  script(
    `if ($rU == "gone") { $var(r) = t_relay_to("tcp:192.0.2.12:5060", "2"); exit; } t_relay_to("udp:192.0.2.12:5060");`,
  ),
  async ({ alice, bob }) => {
    await alice.sends('MESSAGE sip:x@192.0.2.99')
    await bob.receives('MESSAGE sip:x@192.0.2.99')
    await bob.sends(200)
    await alice.receives(200)
    await alice.sends('MESSAGE sip:gone@192.0.2.99')
    await alice.receivesNothing()
  },
)

describe('return codes (measured on Kamailio 5.6.3)', () => {
  const table: [what: string, body: string, said: string][] = [
    [
      't_newtran twice',
      '$var(a) = t_newtran(); $var(b) = t_newtran(); t_reply("200", "$var(a) $var(b)");',
      '1 -10',
    ],
    [
      't_reply without a transaction',
      '$var(a) = t_reply("480", "x"); sl_send_reply("200", "$var(a)");',
      '-1',
    ],
    ['a second t_reply', 't_newtran(); t_reply("200", "first"); t_reply("480", "second");', 'first'],
    ['t_check_trans of a new request', '$var(a) = t_check_trans(); sl_send_reply("200", "$var(a)");', '-1'],
    ['a bad Request-URI', '$ru = "garbage"; $var(a) = t_relay(); sl_send_reply("200", "$var(a)");', '-400'],
    [
      't_is_set',
      't_on_failure("F"); $var(a) = t_is_set("failure_route"); $var(b) = t_is_set("branch_route"); sl_send_reply("200", "$var(a) $var(b)");',
      '1 -1',
    ],
    [
      'a cleared route',
      't_on_failure("F"); t_on_failure("0"); $var(a) = t_is_set("failure_route"); sl_send_reply("200", "$var(a)");',
      '-1',
    ],
    ['t_is_canceled', '$var(a) = t_is_canceled(); sl_send_reply("200", "$var(a)");', '-1'],
    ['$T_reply_code without a transaction', 'sl_send_reply("200", "$T_reply_code $T_branch_idx");', '0 0'],
    [
      'route kinds',
      '$var(a) = t_is_request_route(); $var(b) = t_is_failure_route(); sl_send_reply("200", "$var(a) $var(b)");',
      '1 -1',
    ],
    ['$T without a transaction', 'sl_send_reply("200", "x $T(id_index)");', 'x <null>'],
    ['t_precheck_trans', '$var(a) = t_precheck_trans(); sl_send_reply("200", "$var(a)");', '-1'],
  ]
  for (const [what, body, said] of table) {
    it(what, async () => {
      expect(await saidOf(body, { routes: 'failure_route[F] { exit; }' })).toBe(said)
    })
  }
})

ladder('tm.stats counts', script('t_relay();'), async ({ alice, bob, running }) => {
  const live = () => running.engine.rpc.get('tm.list')?.([])
  await alice.sends(`MESSAGE ${bob.contact}`)
  await bob.receives('MESSAGE')
  expect(await live()).toMatchObject([{ method: 'MESSAGE', outgoings: 1 }])
  await bob.sends(200)
  await alice.receives(200)
  expect(await live()).toEqual([])
  expect(await running.engine.rpc.get('tm.stats')?.([])).toMatchObject({
    current: 1,
    waiting: 1,
    created: 1,
    rpl_received: 1,
    rpl_sent: 1,
    '2xx': 1,
  })
})

describe('event_route[tm:local-request]', () => {
  const sending =
    't_uac_send("OPTIONS", "sip:bob@192.0.2.12", "", "", "From: <sip:r@192.0.2.1>\\r\\nX-Own: 1\\r\\n"); sl_send_reply("200", "OK");'

  ladder(
    'may edit a request of our own',
    script(sending, 'event_route[tm:local-request] { append_hf("X-Local: $rm\\r\\n"); }'),
    async ({ alice, bob }) => {
      await alice.sends('MESSAGE sip:r@192.0.2.1')
      await alice.receives(200)
      const request = await bob.receives('OPTIONS sip:bob@192.0.2.12')
      expect(request.header('X-Local')).toBe('OPTIONS')
      expect(request.header('X-Own')).toBe('1')
      expect(request.header('From')).toMatch(/^<sip:r@192\.0\.2\.1>;tag=\w+$/)
    },
  )

  ladder(
    'may drop it',
    script(sending, 'event_route[tm:local-request] { drop; }'),
    async ({ alice, bob }) => {
      await alice.sends('MESSAGE sip:r@192.0.2.1')
      await alice.receives(200)
      await bob.receivesNothing()
    },
  )
})
