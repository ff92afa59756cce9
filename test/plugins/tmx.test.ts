import { expect } from 'vitest'
import { ladder } from '../../src/testing/index.ts'

const script = (body: string, more = '') => ({
  script: `
loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "tmx.so"
loadmodule "pv.so"
loadmodule "textops.so"
request_route {
  if (is_method("CANCEL|ACK")) { t_relay(); exit; }
${body}
}
${more}
`,
})

ladder(
  't_suspend leaves a request waiting; another message lets it go on',
  script(
    `if (is_method("OPTIONS")) {
    $var(r) = t_continue("$shv(index)", "$shv(label)", "RESUME");
    sl_send_reply("200", "continued $var(r)");
    exit;
  }
  $avp(kept) = "yes";
  t_suspend();
  $shv(index) = $T(id_index);
  $shv(label) = $T(id_label);`,
    'route[RESUME] { append_hf("X-Kept: $avp(kept)\\r\\n"); t_relay(); }',
  ),
  async ({ alice, bob, carol }) => {
    await alice.sends(`MESSAGE ${bob.contact}`)
    await bob.receivesNothing()
    await carol.sends('OPTIONS sip:router@192.0.2.1')
    await carol.receives('200 continued 1')
    expect((await bob.receives('MESSAGE')).header('X-Kept')).toBe('yes')
    await bob.sends(200)
    await alice.receives(200)
    await carol.sends('OPTIONS sip:router@192.0.2.1')
    await carol.receives('200 continued -1')
  },
)

ladder(
  'nobody continues: the caller is told after 30 seconds',
  script('t_suspend();'),
  async ({ alice, advance }) => {
    await alice.sends('INVITE sip:bob@example.com')
    await advance(30_100)
    await alice.receives(408)
  },
)

ladder(
  '$T_req and $T_rpl look at the transaction\u2019s other messages',
  script(
    't_on_reply("R"); t_on_failure("F"); t_relay();',
    `onreply_route[R] { append_hf("X-Asked: $T_req($ru) $T_req($si) $T_rpl($rs)\\r\\n"); }
failure_route[F] { t_reply("480", "won $T_rpl($rs) $T_rpl($rr)"); }`,
  ),
  async ({ alice, bob }) => {
    await alice.sends(`MESSAGE ${bob.contact}`)
    await bob.receives('MESSAGE')
    await bob.sends(202)
    expect((await alice.receives(202)).header('X-Asked')).toBe(`${bob.contact} 192.0.2.11 202`)
    await alice.sends(`MESSAGE ${bob.contact}`)
    await bob.receives('MESSAGE')
    await bob.sends('486 Busy Here')
    await alice.receives('480 won 486 Busy Here')
  },
)

ladder(
  't_cancel_callid cancels another call',
  script(
    'if (is_method("OPTIONS")) { $var(r) = t_cancel_callid("$hdr(X-Call)", "1", "-1"); sl_send_reply("200", "$var(r)"); exit; } t_relay();',
  ),
  async ({ alice, bob, carol }) => {
    await alice.sends(`INVITE ${bob.contact}`)
    const invite = await bob.receives('INVITE')
    await bob.sends(180)
    await alice.receives(180)
    await carol.sends('OPTIONS sip:r@192.0.2.1', { headers: { 'X-Call': invite.header('Call-ID') } })
    await carol.receives('200 1')
    await bob.receives('CANCEL')
  },
)

ladder(
  't_reply_callid answers another request',
  script(
    'if (is_method("OPTIONS")) { t_reply_callid("$hdr(X-Call)", "1", "480", "Elsewhere"); sl_send_reply("200", "OK"); exit; } t_relay();',
  ),
  async ({ alice, bob, carol }) => {
    await alice.sends(`INVITE ${bob.contact}`)
    const invite = await bob.receives('INVITE')
    await carol.sends('OPTIONS sip:r@192.0.2.1', { headers: { 'X-Call': invite.header('Call-ID') } })
    await alice.receives('480 Elsewhere')
  },
)

ladder(
  't_drop forgets the request without an answer',
  script('t_newtran(); t_drop(); sl_send_reply("200", "not reached");'),
  async ({ alice, running }) => {
    await alice.sends('MESSAGE sip:bob@example.com')
    await alice.receivesNothing()
    expect(await running.engine.rpc.get('tm.stats')?.([])).toMatchObject({ current: 0 })
  },
)
