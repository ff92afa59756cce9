import { describe, expect } from 'vitest'
import type { Agent } from '../../src/testing/index.ts'
import { ladder } from '../../src/testing/ladder.ts'
import type { World } from '../../src/testing/play.ts'

/**
 * A router of several workers, seen from outside: it is one router. Which agent meets which worker is the simulated
 * host's choice, by address and port: many agents meet all of them.
 */
const proxy = {
  script: `
    loadmodule "sl"
    loadmodule "tm"
    loadmodule "usrloc"
    loadmodule "registrar"
    loadmodule "htable"
    loadmodule "pv"
    loadmodule "textops"
    modparam("htable", "htable", "t=>size=8;initval=0")
    event_route[core:worker-one-init] { $var(n) = $shtinc(t=>started); }
    request_route {
      if (is_method("REGISTER")) { save("location"); exit; }
      if (is_method("OPTIONS")) {
        $var(n) = $shtinc(t=>asked);
        sl_send_reply("200", "$sht(t=>asked) $sht(t=>started)");
        exit;
      }
      if (is_method("CANCEL")) {
        if (t_check_trans()) t_relay(); else sl_send_reply("481", "No Such Call");
        exit;
      }
      if (is_method("ACK")) { t_check_trans(); exit; }
      if (!lookup("location")) { sl_send_reply("404", "Not Found"); exit; }
      t_relay();
    }
  `,
}

function agents(world: World, count: number): Agent[] {
  return Array.from({ length: count }, (_, i) => world.agent(`a${i}`))
}

const passed = ({ running }: World) =>
  running.metrics.samples().find(({ name }) => name === 'viaduct_worker_datagrams_passed_total')?.value ?? 0

describe.each([1, 2, 3, 5])('%i workers', (workers) => {
  ladder('answers reach the transaction, whichever worker they meet', proxy, { workers }, async (world) => {
    const { bob } = world
    await bob.registers()
    for (const caller of agents(world, 12)) {
      await caller.sends('MESSAGE sip:bob@192.0.2.1')
      await bob.receives('MESSAGE')
      await bob.sends(200)
      await caller.receives(200)
    }
    await world.advance(40_000)
    // Nothing was sent twice: every answer was believed.
    const sent = world.network.captured.filter(({ text }) => text.startsWith('MESSAGE'))
    expect(sent).toHaveLength(24)
    expect(passed(world) > 0).toBe(workers > 1)
  })

  ladder('a CANCEL from another port finds the INVITE', proxy, { workers }, async (world) => {
    const { alice, bob } = world
    await bob.registers()
    for (const other of agents(world, 8)) {
      const invite = await alice.sends('INVITE sip:bob@192.0.2.1')
      const received = await bob.receives('INVITE')
      await bob.sends(180, { request: received })
      await alice.receives(180)
      await other.sendsText(cancelOf(invite))
      await other.receives(200)
      const cancel = await bob.receives('CANCEL')
      await bob.sends(200, { request: cancel })
      await bob.sends(487, { request: received })
      await bob.receives('ACK')
      await alice.receives(487)
    }
  })

  ladder('one that cancels nothing is answered once', proxy, { workers }, async (world) => {
    for (const other of agents(world, 8)) {
      await other.sendsText(cancelOf(strangeInvite(other)))
      await other.receives(481)
    }
    await world.advance(1_000)
    expect(world.network.captured.filter(({ text }) => text.startsWith('SIP/2.0 481'))).toHaveLength(8)
  })

  ladder(
    'what modules share is one, and what happens once happens once',
    proxy,
    { workers },
    async (world) => {
      for (const [i, other] of agents(world, 10).entries()) {
        await other.sends('OPTIONS sip:192.0.2.1')
        const answer = await other.receives(200)
        expect(answer.text.split('\r\n')[0]).toBe(`SIP/2.0 200 ${i + 1} 1`)
      }
    },
  )
})

function cancelOf(invite: string): string {
  const kept = invite
    .split('\r\n')
    .filter((line) => /^(INVITE|Via|From|To|Call-ID|CSeq|Max-Forwards|Route)\b/.test(line))
    .map((line) => line.replace(/^INVITE /, 'CANCEL ').replace(/ INVITE$/, ' CANCEL'))
  return `${kept.join('\r\n')}\r\nContent-Length: 0\r\n\r\n`
}

function strangeInvite({ host, name }: Agent): string {
  return [
    'INVITE sip:bob@192.0.2.1 SIP/2.0',
    `Via: SIP/2.0/UDP ${host.address}:5060;branch=z9hG4bK-${name};rport`,
    'Max-Forwards: 70',
    `From: <sip:${name}@192.0.2.1>;tag=1`,
    'To: <sip:bob@192.0.2.1>',
    `Call-ID: ${name}@${host.address}`,
    'CSeq: 1 INVITE',
    '',
  ].join('\r\n')
}
