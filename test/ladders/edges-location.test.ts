import { describe, expect, test } from 'vitest'
import { type Agent, playLadder } from '../../src/testing/index.ts'
import type { Received } from '../../src/testing/received.ts'
import { type EdgeWorld, playEdges } from './edge-world.ts'

/**
 * What several edges know of each other's bindings, as their scripts see it (docs/decisions/0025-edges.md). OPTIONS asks what
 * its header X says, and is answered with the return code and what was found.
 */
const script = (params = '') => `
loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "corex.so"
loadmodule "nathelper.so"
loadmodule "pv.so"
loadmodule "learn.so"
modparam("usrloc", "store", "redis://directory/0")
modparam("usrloc", "edge_name", "EDGE")
modparam("usrloc", "db_mode", 0)
modparam("registrar", "received_avp", "$avp(received)")
modparam("nathelper", "received_avp", "$avp(received)")
modparam("learn", "source", "203.0.113.0/24=>pinhole=60;carrier=1")
modparam("learn", "devices", "device,bob")
alias=EDGE.example
${params}
request_route {
  force_rport();
  if (is_method("REGISTER")) {
    if (nat_uac_test("19")) fix_nated_register();
    if ($hdr(X) == "other") save("other"); else save("location");
    exit;
  }
  if (is_method("MESSAGE")) {
    $var(rc) = learn_location("location");
    sl_send_reply("200", "$var(rc) $learn(reason)");
    exit;
  }
  $var(rc) = 0;
  switch ($hdr(X)) {
    case "lookup": $var(rc) = lookup("location"); break;
    case "lookup other": $var(rc) = lookup("other"); break;
    case "branches":
      append_branch("sip:carol@EDGE.example");
      $var(rc) = lookup_branches("location");
      break;
    case "dset": $var(rc) = lookup_to_dset("location"); break;
    case "registered": $var(rc) = registered("location"); break;
    case "unregister": $var(rc) = unregister("location", "$ru"); break;
    case "ruid":
      reg_fetch_contacts("location", "$ru", "of");
      $var(rc) = unregister("location", "$ru", "$ulc(of=>ruid)");
      break;
    case "contacts": $var(rc) = reg_fetch_contacts("location", "$ru", "of"); break;
  }
  sl_send_reply("200", "$var(rc) $ulc(of=>count) $(branch(uri)[*])");
}
`

/** Each with a directory as it is meant, and with that of src/edges over a Redis in memory. */
function edges(title: string, play: (world: EdgeWorld) => Promise<void>, params = ''): void {
  const played = async (world: EdgeWorld) => {
    try {
      await play(world)
    } finally {
      // Who says goodbye waits for an answer, and no time passes any more.
      world.switches.delayMs = 0
    }
  }
  test(title, () => playEdges({ script: script(params) }, played))
  test(`${title} (over Redis)`, () => playEdges({ script: script(params), overRedis: true }, played))
}

let asked = 0

/** What a function returns at an edge, about a user; and what it found. */
async function answer(world: EdgeWorld, edge: string, what: string, user = 'bob', uri = ''): Promise<string> {
  const asking = world.agent(`asking${asked++}`, edge)
  await asking.sends(`OPTIONS ${uri || `sip:${user}@${edge}.example`}`, { headers: { X: what } })
  return (await asking.receives(200)).reasonPhrase
}

async function rc(world: EdgeWorld, edge: string, what: string, user = 'bob', uri = ''): Promise<number> {
  return Number.parseInt(await answer(world, edge, what, user, uri), 10)
}

const contactsOf = (received: Received) =>
  received
    .headers('Contact')
    .flatMap((line) => line.split(', '))
    .map((contact) => /<([^>]*)>/.exec(contact)?.[1])
    .sort()

type Listed = { Contacts: { Contact: Record<string, unknown> }[] }

/** A second telephone of bob. */
const another = { user: 'bob', port: 5070 }

/** REGISTER with this Call-ID and CSeq, wherever it goes. */
function registers(agent: Agent, world: EdgeWorld, edge: string, callId: string, cseq: number, lines = {}) {
  const headers = { 'Call-ID': callId, CSeq: `${cseq} REGISTER`, ...lines }
  return agent.sends('REGISTER sip:example.com', { headers, to: world.edge(edge).endpoint })
}

describe('who is registered at one edge', () => {
  edges('is found at the other by every function', async (world) => {
    const bob = world.agent('bob', 'a')
    await bob.registers()
    expect(await rc(world, 'b', 'lookup')).toBe(1)
    expect(await rc(world, 'b', 'registered')).toBe(1)
    expect(await answer(world, 'b', 'contacts')).toMatch(/^1 1 /)
    expect(await answer(world, 'b', 'dset')).toContain(bob.contact)
    for (const [what, none] of [
      ['lookup', -1],
      ['dset', -1],
      ['registered', -1],
      ['contacts', -1],
    ] as const) {
      expect([what, await rc(world, 'b', what, 'nobody')]).toEqual([what, none])
    }
    expect(world.switches.contacts('bob')).toEqual([`a ${bob.contact}`])
  })

  edges('is found in place of a branch, too', async (world) => {
    const bob = world.agent('bob', 'a')
    const carol = world.agent('carol', 'a')
    await bob.registers()
    await carol.registers()
    const found = await answer(world, 'b', 'branches')
    expect(found).toMatch(/^1 /)
    expect(found).toContain(carol.contact)
  })

  edges(
    'is found by the instance behind a GRUU, and nobody knows whose a temporary one of another edge is',
    async (world) => {
      const bob = world.agent('bob', 'a')
      const { text } = await bob.registers({
        headers: {
          Supported: 'gruu, path',
          Contact: `<${bob.contact}>;+sip.instance="<urn:uuid:1>"`,
        },
      })
      const temporary = /temp-gruu="([^"]*)"/.exec(text)?.[1] ?? ''
      expect(await rc(world, 'b', 'lookup', '', 'sip:bob@b.example;gr=urn:uuid:1')).toBe(1)
      expect(await rc(world, 'b', 'lookup', '', 'sip:bob@b.example;gr=urn:uuid:2')).toBe(-1)
      expect(await rc(world, 'a', 'lookup', '', temporary)).toBe(1)
      expect(await rc(world, 'b', 'lookup', '', temporary)).toBe(-3)
    },
  )

  edges('is in one table, and not in another', async (world) => {
    const bob = world.agent('bob', 'a')
    await bob.registers({ headers: { X: 'other' } })
    expect(await rc(world, 'b', 'lookup other')).toBe(1)
    expect(await rc(world, 'b', 'lookup')).toBe(-1)
  })

  edges('and at the other with a second telephone: each 200 lists both, `*` removes both', async (world) => {
    const first = world.agent('bob', 'a')
    const second = world.agent('second', 'b', another)
    await first.registers()
    const listed = await second.registers()
    const both = [first.contact, second.contact].sort()
    expect(contactsOf(listed)).toEqual(both)
    expect(contactsOf(await first.registers())).toEqual(both)
    expect(await answer(world, 'a', 'contacts')).toMatch(/^1 2 /)
    const removed = await second.registers({ expires: 0, headers: { Contact: '*' } })
    expect(contactsOf(removed)).toEqual([])
    expect([await rc(world, 'a', 'lookup'), await rc(world, 'b', 'lookup')]).toEqual([-1, -1])
    expect(await world.edge('a').rpc('ul.db_contacts', 'location')).toBe(0)
  })

  edges(
    'has as many contacts as may be at all edges together',
    async (world) => {
      const first = world.agent('bob', 'a')
      const second = world.agent('second', 'b', another)
      await first.registers()
      await second.sends('REGISTER sip:example.com')
      const refused = await second.receives(503)
      expect(refused.header('P-Registrar-Error')).toBe('Too many registered contacts')
      await first.registers({ expires: 0 })
      await second.registers()
    },
    'modparam("registrar", "max_contacts", 1)',
  )

  edges('moves to the other: it is bound there, and nowhere else', async (world) => {
    const bob = world.agent('bob', 'a')
    await registers(bob, world, 'a', 'call', 1)
    await bob.receives(200)
    const before = (await world.edge('a').rpc('ul.lookup', 'location', 'bob')) as Listed
    const ruid = before.Contacts[0]?.Contact['Ruid']
    expect(ruid).toMatch(/^uloc-/)
    await registers(bob, world, 'b', 'call', 2)
    const moved = await bob.receives(200)
    // By another name: the one that it had is the other edge's to give.
    const named = (await world.edge('a').rpc('ul.lookup', 'location', 'bob')) as Listed
    expect(named.Contacts.map(({ Contact }) => Contact['Ruid'])).not.toContain(ruid)
    expect(contactsOf(moved)).toEqual([bob.contact])
    expect(world.switches.contacts('bob')).toEqual([`b ${bob.contact}`])
    expect(await world.edge('a').rpc('ul.db_contacts', 'location')).toBe(0)
    expect(await rc(world, 'a', 'lookup')).toBe(1)
  })

  edges('refreshes there: the others know until when', async (world) => {
    const bob = world.agent('bob', 'a')
    await registers(bob, world, 'a', 'call', 1, { Expires: '100' })
    await bob.receives(200)
    expect(await rc(world, 'b', 'registered')).toBe(1)
    await world.advance(90_000)
    await registers(bob, world, 'a', 'call', 2, { Expires: '100' })
    await bob.receives(200)
    await world.advance(90_000)
    expect(await rc(world, 'b', 'registered')).toBe(1)
    await world.advance(10_000)
    expect(await rc(world, 'b', 'registered')).toBe(-1)
  })

  edges('unregisters at the other, or is unregistered by its script', async (world) => {
    const bob = world.agent('bob', 'a')
    for (const [i, remove] of ['unregister', 'ruid', 'Expires: 0'].entries()) {
      await registers(bob, world, 'a', 'call', 10 * i)
      await bob.receives(200)
      expect(await rc(world, 'b', 'registered')).toBe(1)
      if (remove !== 'Expires: 0') expect(await rc(world, 'b', remove)).toBe(1)
      else {
        await registers(bob, world, 'b', 'call', 10 * i + 1, { Expires: '0' })
        await bob.receives(200)
      }
      expect([await rc(world, 'a', 'registered'), await rc(world, 'b', 'registered')]).toEqual([-1, -1])
    }
    expect(await rc(world, 'b', 'ruid', 'nobody')).toBe(1)
  })
})

describe('an old request', () => {
  edges('that comes at the other edge is answered as it is at one', async (world) => {
    const bob = world.agent('bob', 'a')
    await registers(bob, world, 'a', 'call', 5)
    await bob.receives(200)
    await registers(bob, world, 'b', 'call', 4)
    const refused = await bob.receives(400)
    expect(refused.header('P-Registrar-Error')).toBe('Invalid CSeq number')
    expect(world.switches.contacts('bob')).toEqual([`a ${bob.contact}`])
  })

  edges('that comes at the same time: one of both wins everywhere, and the other is told', async (world) => {
    const bob = world.agent('bob', 'a')
    world.switches.delayMs = 50
    await registers(bob, world, 'a', 'call', 5)
    await world.advance(2)
    await registers(bob, world, 'b', 'call', 4)
    await bob.receives(200)
    const refused = await bob.receives(400)
    expect(refused.header('P-Registrar-Error')).toBe('Invalid CSeq number')
    await world.advance(200)
    world.switches.delayMs = 0
    expect(world.switches.contacts('bob')).toEqual([`a ${bob.contact}`])
    expect(await world.edge('b').rpc('ul.db_contacts', 'location')).toBe(0)
  })

  edges('does not bring back what was removed while an edge was cut off', async (world) => {
    const bob = world.agent('bob', 'a')
    await registers(bob, world, 'a', 'call', 1)
    await bob.receives(200)
    world.switches.cut('b')
    await registers(bob, world, 'b', 'call', 2)
    await bob.receives(200)
    await world.advance(1_000)
    await registers(bob, world, 'a', 'call', 3, { Expires: '0' })
    await bob.receives(200)
    world.switches.mend('b')
    expect([await rc(world, 'a', 'lookup'), await rc(world, 'b', 'lookup')]).toEqual([-1, -1])
    expect(await world.edge('b').rpc('ul.db_contacts', 'location')).toBe(0)
  })
})

describe('while the directory', () => {
  edges('is away, each edge serves its own, and of others nobody can say', async (world) => {
    const bob = world.agent('bob', 'a')
    const carol = world.agent('carol', 'b')
    await bob.registers()
    world.switches.isAway = true
    // Found, refreshed and bound anew without it.
    expect(await rc(world, 'a', 'lookup')).toBe(1)
    await bob.registers()
    await carol.registers()
    expect(await rc(world, 'b', 'lookup', 'carol')).toBe(1)
    for (const [what, none] of [
      ['lookup', -3],
      ['dset', -3],
      ['registered', -1],
      ['contacts', -1],
      ['unregister', 1],
    ] as const) {
      expect([what, await rc(world, 'b', what)]).toEqual([what, none])
    }
    world.switches.isAway = false
    expect([await rc(world, 'b', 'lookup'), await rc(world, 'a', 'lookup', 'carol')]).toEqual([1, 1])
    expect(await rc(world, 'b', 'lookup', 'nobody')).toBe(-1)
  })

  edges('is late, nobody waits for it longer than a quarter of a second', async (world) => {
    const bob = world.agent('bob', 'a')
    world.switches.delayMs = 400
    const began = world.clock.now()
    await bob.registers()
    expect(world.clock.now() - began).toBeLessThanOrEqual(260)
    await world.advance(1_000)
    const asking = world.clock.now()
    expect(await rc(world, 'b', 'lookup')).toBe(-3)
    expect(world.clock.now() - asking).toBeLessThanOrEqual(260)
    expect(await rc(world, 'a', 'lookup')).toBe(1)
    await world.advance(1_000)
    world.switches.delayMs = 100
    expect(await rc(world, 'b', 'lookup')).toBe(1)
    const again = world.clock.now()
    expect(await rc(world, 'b', 'lookup')).toBe(1)
    // What is known is not asked for again.
    expect(world.clock.now() - again).toBeLessThan(10)
  })

  edges('has lost all, each edge tells again what it has', async (world) => {
    await world.agent('bob', 'a').registers()
    world.switches.forget()
    expect(await rc(world, 'b', 'lookup')).toBe(1)
  })
})

describe('an edge that dies', () => {
  edges('leaves its telephones behind NATs cold, until they register anywhere', async (world) => {
    const bob = world.agent('bob', 'a', { behind: 'home' })
    await registers(bob, world, 'a', 'call', 1)
    await bob.receives(200)
    expect(await rc(world, 'b', 'lookup')).toBe(1)
    world.switches.kill('a')
    await world.advance(4_000)
    expect(await rc(world, 'b', 'lookup')).toBe(-3)
    await registers(bob, world, 'b', 'call', 2)
    await bob.receives(200)
    expect(await rc(world, 'b', 'lookup')).toBe(1)
    expect(world.switches.contacts('bob')).toEqual([`b ${bob.contact}`])
  })
})

describe('an edge that stops', () => {
  edges('says goodbye: it is dead for the others at once', async (world) => {
    await world.agent('bob', 'a', { behind: 'home' }).registers()
    expect(await rc(world, 'b', 'lookup')).toBe(1)
    await world.edge('a').server.stop(0)
    expect(await rc(world, 'b', 'lookup')).toBe(-3)
  })
})

describe('a device that is learned', () => {
  const learned = async (world: EdgeWorld, agent: Agent, edge: string) => {
    await agent.sends('MESSAGE sip:server@example.com', { body: 'x', to: world.edge(edge).endpoint })
    return (await agent.receives(200)).reasonPhrase.trim()
  }

  edges('at one edge is found at the other, and goes there when it is heard there', async (world) => {
    const device = world.agent('device', 'a', { behind: 'mobile' })
    expect(await learned(world, device, 'a')).toBe('1')
    expect(await rc(world, 'b', 'lookup', 'device')).toBe(1)
    await world.advance(1_000)
    expect(await learned(world, device, 'b')).toBe('3')
    expect(await learned(world, device, 'b')).toBe('2')
    expect(world.switches.contacts('device')).toEqual([expect.stringMatching(/^b /)])
    const { flows } = (await world.edge('a').rpc('learn.stats')) as { flows: number }
    expect(flows).toBe(0)
    expect(await rc(world, 'a', 'lookup', 'device')).toBe(1)
  })

  edges('yields to a registration, wherever that is', async (world) => {
    const bob = world.agent('bob', 'a', { behind: 'mobile' })
    expect(await learned(world, bob, 'a')).toBe('1')
    const telephone = world.agent('telephone', 'b', another)
    await telephone.registers()
    expect(world.switches.contacts('bob')).toEqual([`b ${telephone.contact}`])
    expect(await learned(world, bob, 'a')).toBe('-1 registered')
  })

  edges('is forgotten at any edge', async (world) => {
    const device = world.agent('device', 'a', { behind: 'mobile' })
    await learned(world, device, 'a')
    expect(await world.edge('b').rpc('learn.forget', 'location', 'device')).toEqual({ forgotten: 1 })
    expect(world.switches.contacts('device')).toEqual([])
    expect(await rc(world, 'a', 'lookup', 'device')).toBe(-1)
  })
})

describe('commands', () => {
  edges('show whose a binding is, and remove it wherever it is', async (world) => {
    const { rpc } = world.edge('b')
    const bob = world.agent('bob', 'a')
    const second = world.agent('second', 'b', another)
    await bob.registers()
    await second.registers()
    const { Contacts } = (await rpc('ul.lookup', 'location', 'bob')) as Listed
    expect(
      Contacts.map(({ Contact }) => [Contact['Address'], Contact['Edge'], Contact['Edge-Lives']]),
    ).toEqual([
      [second.contact, 'b', undefined],
      [bob.contact, 'a', 1],
    ])
    await rpc('ul.rm_contact', 'location', 'bob', bob.contact)
    expect(world.switches.contacts('bob')).toEqual([`b ${second.contact}`])
    await bob.registers()
    await rpc('ul.rm', 'location', 'bob')
    expect(world.switches.contacts('bob')).toEqual([])
    await expect(rpc('ul.lookup', 'location', 'bob')).rejects.toThrow('AOR not found in location table')
    world.switches.isAway = true
    await expect(rpc('ul.lookup', 'location', 'bob')).rejects.toThrow('cannot be found out now')
    await expect(rpc('ul.rm_contact', 'location', 'bob', 'sip:x@y')).rejects.toThrow(
      'cannot be found out now',
    )
  })

  edges('ul.add takes over what another edge has', async (world) => {
    const bob = world.agent('bob', 'a')
    await bob.registers()
    await world.edge('b').rpc('ul.add', 'location', 'bob', bob.contact, 0, 1, '0', 0, 0, 0)
    const { Contacts } = (await world.edge('a').rpc('ul.lookup', 'location', 'bob')) as Listed
    expect(Contacts.map(({ Contact }) => [Contact['Edge'], Contact['Origin']])).toEqual([['b', 'static']])
  })
})

describe('a script', () => {
  const refused = (params: string, workers = 1) =>
    playLadder(
      { script: `loadmodule "usrloc.so"\n${params}\nrequest_route { drop; }` },
      { workers },
      () => {},
    )

  test.each([
    [
      'db_mode 1',
      'modparam("usrloc", "store", "redis://r/0")\nmodparam("usrloc", "db_mode", 1)',
      /db_mode 1.*not both/,
    ],
    [
      'db_mode 4',
      'modparam("usrloc", "store", "redis://r/0")\nmodparam("usrloc", "db_mode", 4)',
      /db_mode 4.*not both/,
    ],
    ['no URL of Redis', 'modparam("usrloc", "store", "mysql://r/0")', /not a URL of Redis/],
    ['no name', 'modparam("usrloc", "edge_name", "a b")', /cannot be the name of an edge/],
    ['no URI', 'modparam("usrloc", "edge_uri", "192.0.2.1:5060")', /is not the URI of an edge/],
    ['a URI of somebody', 'modparam("usrloc", "edge_uri", "sip:a@192.0.2.1")', /is not the URI of an edge/],
    ['a heartbeat of a hummingbird', 'modparam("usrloc", "edge_heartbeat", 10)', /every 100 to 60000 ms/],
  ])('with store and %s is refused, and told why', async (_what, params, why) => {
    await expect(refused(params)).rejects.toThrow(why)
  })
})
