import { describe, expect } from 'vitest'
import type { Agent } from '../../src/testing/index.ts'
import { ladder } from '../../src/testing/ladder.ts'
import type { World } from '../../src/testing/play.ts'

/** What scripts may rely on when their router is several workers. */
const agents = (world: World, count: number): Agent[] =>
  Array.from({ length: count }, (_, i) => world.agent(`a${i}`))

const statusLine = (text: string) => text.slice(0, text.indexOf('\r\n'))

describe.each([1, 2, 3])('%i workers', (workers) => {
  const continuing = {
    script: `
      loadmodule "sl"
      loadmodule "tm"
      loadmodule "tmx"
      loadmodule "pv"
      loadmodule "htable"
      loadmodule "textops"
      modparam("htable", "htable", "waiting=>size=8")
      route[GOON] { t_reply("200", "Woken"); }
      request_route {
        if (is_method("MESSAGE")) {
          t_newtran();
          if (!t_suspend()) { t_reply("500", "Not Suspended"); exit; }
          $sht(waiting=>$rU::index) = $T(id_index);
          $sht(waiting=>$rU::label) = $T(id_label);
          exit;
        }
        if (t_continue("$sht(waiting=>$rU::index)", "$sht(waiting=>$rU::label)", "GOON")) {
          sl_send_reply("200", "OK");
        } else sl_send_reply("404", "Not Found");
      }
    `,
  }

  ladder(
    't_continue() goes on with what any of them has suspended',
    continuing,
    { workers },
    async (world) => {
      const { alice } = world
      for (const [i, other] of agents(world, 10).entries()) {
        await alice.sends(`MESSAGE sip:u${i}@192.0.2.1`)
        await world.advance(10)
        await other.sends(`OPTIONS sip:u${i}@192.0.2.1`)
        await other.receives(200)
        await alice.receives('200 Woken')
      }
    },
  )

  ladder('t_continue() of nothing continues nothing', continuing, { workers }, async ({ alice }) => {
    await alice.sends('OPTIONS sip:nobody@192.0.2.1')
    await alice.receives(404)
  })

  const locking = {
    script: `
      loadmodule "sl"
      loadmodule "pv"
      loadmodule "cfgutils"
      loadmodule "htable"
      modparam("htable", "htable", "t=>size=8;initval=0")
      request_route {
        lock("k");
        $var(was) = $sht(t=>n);
        sleep(1);
        $sht(t=>n) = $var(was) + 1;
        unlock("k");
        sl_send_reply("200", "$sht(t=>n)");
      }
    `,
  }

  ladder('lock() lets one run after another, whichever worker it is', locking, { workers }, async (world) => {
    const waiting = agents(world, 8)
    for (const agent of waiting) await agent.sends('OPTIONS sip:192.0.2.1')
    const answers: string[] = []
    for (const agent of waiting) {
      answers.push(statusLine((await agent.receives(200, { within: 20_000 })).text))
    }
    expect(answers.toSorted()).toEqual([1, 2, 3, 4, 5, 6, 7, 8].map((n) => `SIP/2.0 200 ${n}`))
  })

  const counting = {
    script: `
      loadmodule "sl"
      loadmodule "pv"
      loadmodule "kex"
      request_route { sl_send_reply("200", "$stat(rcv_requests_options)"); }
    `,
  }

  ladder('statistics are those of all, a second later', counting, { workers }, async (world) => {
    const asking = agents(world, 9)
    for (const agent of asking) {
      await agent.sends('OPTIONS sip:192.0.2.1')
      await agent.receives(200)
    }
    await world.advance(1_500)
    for (const [i, agent] of asking.entries()) {
      await agent.sends('OPTIONS sip:192.0.2.1')
      expect(statusLine((await agent.receives(200)).text)).toBe(`SIP/2.0 200 ${10 + i}`)
      await world.advance(1_500)
    }
  })

  ladder('metrics too, and they say how many there are', counting, { workers }, async (world) => {
    for (const agent of agents(world, 9)) {
      await agent.sends('OPTIONS sip:192.0.2.1')
      await agent.receives(200)
    }
    await world.advance(1_500)
    const value = (name: string) =>
      world.running.metrics.samples().find((sample) => sample.name === name)?.value
    expect(value('viaduct_datagrams_received_total')).toBe(9)
    expect(value('viaduct_workers')).toBe(workers === 1 ? undefined : workers)
  })
})
