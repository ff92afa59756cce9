import { describe, expect } from 'vitest'
import { ladder } from '../../src/testing/index.ts'

const relaying = (body: string, params = '') => ({
  script: `
loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "rr.so"
loadmodule "path.so"
${params}
request_route {
${body}
  t_relay();
}
`,
})

/** Measured on Kamailio 5.6.3 with the same calls. */
const written: [body: string, lines: string[]][] = [
  ['add_path();', ['<sip:192.0.2.1;lr>']],
  ['add_path("user");', ['<sip:user@192.0.2.1;lr>']],
  ['add_path("us", "ob;x");', ['<sip:us@192.0.2.1;lr;ob;x>']],
  ['add_path_received();', ['<sip:192.0.2.1;lr;received=sip:192.0.2.11:5060>']],
  ['add_path_received("user");', ['<sip:user@192.0.2.1;lr;received=sip:192.0.2.11:5060>']],
  ['add_path(); add_path("two");', ['<sip:192.0.2.1;lr>', '<sip:two@192.0.2.1;lr>']],
]

describe('RFC 3327: Path as it leaves', () => {
  for (const [body, lines] of written) {
    ladder(body, relaying(body), async ({ alice, bob }) => {
      await alice.sends(`MESSAGE ${bob.contact}`)
      const message = await bob.receives('MESSAGE')
      expect(message.headers('Path')).toEqual(lines)
    })
  }

  ladder('ours stands above the one that is there', relaying('add_path();'), async ({ alice, bob }) => {
    await alice.sends(`MESSAGE ${bob.contact}`, { headers: { Path: '<sip:old;lr>' } })
    expect((await bob.receives('MESSAGE')).headers('Path')).toEqual(['<sip:192.0.2.1;lr>', '<sip:old;lr>'])
  })
})

ladder(
  'use_received: our Route sends to the address that we once wrote into the Path',
  relaying('loose_route();', 'modparam("path", "use_received", 1)'),
  async ({ alice, bob }) => {
    const [address = ''] = bob.contact.split('@').slice(-1)
    await alice.sends('MESSAGE sip:bob@10.0.0.1', {
      headers: { Route: `<sip:192.0.2.1;lr;received=sip:${address}>` },
    })
    const message = await bob.receives('MESSAGE')
    expect(message.requestUri).toBe('sip:bob@10.0.0.1')
  },
)
