import { describe, expect, it } from 'vitest'
import { ladder } from '../../src/testing/index.ts'
import { saidOf } from '../proxy/script-answers.ts'

const us = '192.0.2.1'

describe('loose_route', () => {
  const script = `
  $var(r) = loose_route();
  sl_send_reply("200", "$var(r) $ru $du $route_uri");
`
  const table: [what: string, uri: string, routes: string[], toTag: string, said: string][] = [
    ['no Route', 'sip:bob@192.0.2.9', [], 'x', '-1 sip:bob@192.0.2.9 <null> '],
    ['us alone', 'sip:bob@192.0.2.9', [`<sip:${us};lr>`], 'x', `1 sip:bob@192.0.2.9 <null> sip:${us};lr`],
    [
      'us alone, preloaded',
      'sip:bob@192.0.2.9',
      [`<sip:${us};lr>`],
      '',
      `-3 sip:bob@192.0.2.9 <null> sip:${us};lr`,
    ],
    [
      'us and a next hop',
      'sip:bob@192.0.2.9',
      [`<sip:${us};lr>`, '<sip:192.0.2.7;lr>'],
      'x',
      `1 sip:bob@192.0.2.9 sip:192.0.2.7;lr sip:${us};lr`,
    ],
    [
      'a strict router',
      'sip:bob@192.0.2.9',
      [`<sip:${us};lr>`, '<sip:192.0.2.7>'],
      'x',
      `1 sip:192.0.2.7 <null> sip:${us};lr`,
    ],
  ]
  for (const [what, uri, routes, toTag, said] of table) {
    it(what, async () => {
      const headers = routes.map((route) => `Route: ${route}`)
      expect(await saidOf(script, { uri, headers, toTag })).toBe(said)
    })
  }
})

describe('check_route_param and is_direction', () => {
  const script = `
  loose_route();
  $var(a) = check_route_param("NAT=yes");
  $var(b) = check_route_param("^;lr");
  $var(c) = check_route_param("absent");
  $var(d) = is_direction("downstream");
  $var(e) = is_direction("upstream");
  sl_send_reply("200", "$var(a) $var(b) $var(c) $var(d) $var(e) $rdir(id) $rdir(name)");
`
  /** Measured on Kamailio 5.6.3; the From tag is `ft`. */
  const table: [params: string, said: string][] = [
    [';ftag=ft;nat=yes', '1 1 -1 1 -1 1 downstream'],
    [';ftag=other;nat=yes', '1 1 -1 -1 1 2 upstream'],
    [';nat=yes', '1 1 -1 1 -1 1 downstream'],
  ]
  for (const [params, said] of table) {
    it(`our Route with ${params}`, async () => {
      const headers = [`Route: <sip:${us};lr${params}>`]
      expect(await saidOf(script, { uri: 'sip:bob@192.0.2.9', toTag: 'x', headers })).toBe(said)
    })
  }

  it('without loose_route nothing matches', async () => {
    const without = script.replace('loose_route();', '')
    const headers = [`Route: <sip:${us};lr;nat=yes>`]
    expect(await saidOf(without, { toTag: 'x', headers })).toBe('-1 -1 -1 1 -1 1 downstream')
  })
})

describe('record_route', () => {
  it('a second one in the same message is -1 (measured)', async () => {
    const script = `
  $var(a) = record_route();
  $var(b) = record_route();
  $var(c) = record_route_preset("192.0.2.5");
  sl_send_reply("200", "$var(a) $var(b) $var(c)");
`
    expect(await saidOf(script)).toBe('1 -1 -1')
  })
})

/** `body` says what the script does before it relays to bob. */
const relaying = (body: string, more = '', params = '') => ({
  script: `
listen=udp:192.0.2.1:5060
listen=udp:192.0.2.1:5080
loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "rr.so"
${params}
request_route {
${body}
  t_relay();
}
${more}
`,
})

/** Measured on Kamailio 5.6.3 with the same calls. */
const written: [what: string, body: string, lines: string[], params?: string][] = [
  ['plain', 'record_route();', ['<sip:192.0.2.1;lr;ftag=TAG>']],
  [
    'parameters',
    'record_route(";x=1"); add_rr_param(";nat=yes");',
    ['<sip:192.0.2.1;lr;ftag=TAG;x=1;nat=yes>'],
  ],
  [
    'add_rr_param before and after',
    'add_rr_param(";nat=yes"); record_route(";y=1"); add_rr_param(";z=1");',
    ['<sip:192.0.2.1;lr;ftag=TAG;y=1;nat=yes;z=1>'],
  ],
  ['preset', 'record_route_preset("9.9.9.9:1");', ['<sip:9.9.9.9:1;ftag=TAG;lr>']],
  [
    'preset of two',
    'record_route_preset("9.9.9.9:1", "8.8.8.8:2");',
    ['<sip:9.9.9.9:1;ftag=TAG;lr>', '<sip:8.8.8.8:2;ftag=TAG;lr>'],
  ],
  ['advertised', 'record_route_advertised_address("9.9.9.9");', ['<sip:9.9.9.9;ftag=TAG;lr>']],
  ['taken back', 'record_route(); remove_record_route();', []],
  ['without ftag', 'record_route();', ['<sip:192.0.2.1;lr>'], 'modparam("rr", "append_fromtag", 0)'],
  ['lr=on', 'record_route();', ['<sip:192.0.2.1;lr=on;ftag=TAG>'], 'modparam("rr", "enable_full_lr", 1)'],
  ['a user', 'record_route();', ['<sip:bob@192.0.2.1;lr;ftag=TAG>'], 'modparam("rr", "add_username", 1)'],
  [
    'another socket: two values, the leaving one on top',
    '$fs = "udp:192.0.2.1:5080"; record_route(";x=1"); add_rr_param(";nat=yes");',
    ['<sip:192.0.2.1:5080;r2=on;lr;ftag=TAG;x=1;nat=yes>', '<sip:192.0.2.1;r2=on;lr;ftag=TAG;x=1;nat=yes>'],
  ],
]

describe('Record-Route as it leaves', () => {
  for (const [what, body, lines, params] of written) {
    ladder(what, relaying(body, '', params), { listen: null }, async ({ alice, bob }) => {
      await alice.sends(`MESSAGE ${bob.contact}`)
      const message = await bob.receives('MESSAGE')
      const tag = /tag=(\w+)/.exec(message.header('From'))?.[1] ?? ''
      expect(message.headers('Record-Route')).toEqual(lines.map((line) => line.replace('TAG', tag)))
    })
  }

  const inBranch = 'branch_route[B] { record_route(";k"); add_rr_param(";b=1"); }'
  ladder('per branch', relaying('t_on_branch("B");', inBranch), { listen: null }, async ({ alice, bob }) => {
    await alice.sends(`MESSAGE ${bob.contact}`)
    expect((await bob.receives('MESSAGE')).header('Record-Route')).toMatch(
      /^<sip:192\.0\.2\.1;lr;ftag=\w+;k;b=1>$/,
    )
  })

  ladder(
    'a double Record-Route brings the next request back through both sockets',
    relaying('if (!loose_route()) { $fs = "udp:192.0.2.1:5080"; record_route(); }'),
    { listen: null },
    async ({ alice, bob }) => {
      await alice.sends(`INVITE ${bob.contact}`)
      await bob.receives('INVITE')
      await bob.sends(200)
      await alice.receives(200)
      await alice.sends('ACK')
      const ack = await bob.receives('ACK')
      expect(ack.headers('Route')).toEqual([])
      expect(ack.source.port).toBe(5080)
      await bob.sends('BYE')
      const bye = await alice.receives('BYE')
      expect(bye.source.port).toBe(5060)
      expect(bye.headers('Route')).toEqual([])
    },
  )
})
