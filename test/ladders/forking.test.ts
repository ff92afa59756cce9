import { describe, expect } from 'vitest'
import { ladder } from '../../src/testing/index.ts'
import { sdp } from './telephones.ts'

const forking = {
  script: `
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "corex.so"
loadmodule "siputils.so"
loadmodule "textops.so"
request_route {
  if (is_method("CANCEL")) { if (t_check_trans()) t_relay(); exit; }
  if (has_totag()) { if (loose_route()) t_relay(); exit; }
  record_route();
  if ($rU == "team") {
    $ru = "sip:bob@192.0.2.12";
    append_branch("sip:carol@192.0.2.13");
  }
  t_relay();
}
`,
}

describe('forking: RFC 3261 §16.7', () => {
  ladder(
    'step 10: when one branch answers 200, the other is cancelled',
    forking,
    async ({ alice, bob, carol }) => {
      await alice.sends('INVITE sip:team@example.com', sdp)
      const toBob = await bob.receives('INVITE sip:bob@192.0.2.12')
      const toCarol = await carol.receives('INVITE sip:carol@192.0.2.13')
      expect(toBob.message.topmostVia?.branch).not.toBe(toCarol.message.topmostVia?.branch)
      await carol.sends(180)
      await alice.receives(180)
      await bob.sends(200, sdp)
      await alice.receives(200)
      const cancel = await carol.receives('CANCEL')
      await carol.sends(200, { request: cancel })
      await carol.sends(487, { request: toCarol })
      await carol.receives('ACK')
      await alice.receivesNothing()
    },
  )

  ladder(
    'step 5: a 200 that comes after another one is forwarded too',
    forking,
    async ({ alice, bob, carol }) => {
      await alice.sends('INVITE sip:team@example.com', sdp)
      await bob.receives('INVITE')
      await carol.receives('INVITE')
      await carol.sends(180)
      await alice.receives(180)
      await bob.sends(200, sdp)
      const first = await alice.receives(200)
      await carol.receives('CANCEL')
      const invite = carol.inbox.find(({ method }) => method === 'INVITE')
      if (invite === undefined) throw new Error('carol got an INVITE')
      await carol.sends(200, { ...sdp, request: invite })
      const second = await alice.receives(200)
      expect(second.message.toTag).not.toBe(first.message.toTag)
    },
  )

  ladder('step 6: the best of all failures, when all have failed', forking, async ({ alice, bob, carol }) => {
    await alice.sends('INVITE sip:team@example.com', sdp)
    await bob.receives('INVITE')
    await carol.receives('INVITE')
    await bob.sends(404)
    await alice.receivesNothing(300)
    await carol.sends(486)
    await alice.receives('4xx')
    await alice.receivesNothing()
  })

  ladder('step 5: a 6xx ends all branches', forking, async ({ alice, bob, carol }) => {
    await alice.sends('INVITE sip:team@example.com', sdp)
    await bob.receives('INVITE')
    const invite = await carol.receives('INVITE')
    await carol.sends(180)
    await alice.receives(180)
    await bob.sends(603)
    const cancel = await carol.receives('CANCEL')
    await carol.sends(200, { request: cancel })
    await carol.sends(487, { request: invite })
    await alice.receives(603)
  })

  ladder('step 7: the challenges of all branches come in one 407', forking, async ({ alice, bob, carol }) => {
    await alice.sends('INVITE sip:team@example.com', sdp)
    await bob.receives('INVITE')
    await carol.receives('INVITE')
    for (const [who, realm] of [
      [bob, 'b'],
      [carol, 'c'],
    ] as const) {
      await who.sends(407, { headers: { 'Proxy-Authenticate': `Digest realm="${realm}", nonce="n"` } })
    }
    const challenge = await alice.receives(407)
    expect(challenge.headers('Proxy-Authenticate')).toHaveLength(2)
  })

  ladder('§16.10: CANCEL goes to every branch that rings', forking, async ({ alice, bob, carol }) => {
    await alice.sends('INVITE sip:team@example.com', sdp)
    await bob.receives('INVITE')
    await carol.receives('INVITE')
    await bob.sends(180)
    await carol.sends(180)
    await alice.receives(180)
    await alice.receives(180)
    await alice.sends('CANCEL')
    await alice.receives(200, { method: 'CANCEL' })
    await bob.receives('CANCEL')
    await carol.receives('CANCEL')
  })
})
