import { describe, expect, it } from 'vitest'
import { ladder } from '../../src/testing/index.ts'
import { saidOf } from '../proxy/script-answers.ts'

/** What is no number up to 255 gets 400 before the script. Measured on Kamailio 5.6.3: the result of the first call, of is_maxfwd_lt("11") after it, of a second call. */
const table: [header: string | null, first: number, lower: number, second: number][] = [
  ['70', 1, -1, 1],
  ['1', 1, 1, -1],
  ['0', -1, 1, -1],
  ['10', 1, 1, 1],
  ['200', 1, -1, 1],
  [null, 2, -2, 2],
]

const script = `
  $var(a) = mf_process_maxfwd_header("10");
  $var(b) = is_maxfwd_lt("11");
  $var(c) = mf_process_maxfwd_header("10");
  sl_send_reply("200", "$var(a) $var(b) $var(c)");
`

describe('mf_process_maxfwd_header', () => {
  for (const [header, ...codes] of table) {
    it(`Max-Forwards: ${header ?? '(none)'}`, async () => {
      expect(await saidOf(script, { maxForwards: header })).toBe(codes.join(' '))
    })
  }
})

const relaying = (params: string) => ({
  script: `
loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "maxfwd.so"
${params}
request_route {
  if (!mf_process_maxfwd_header("10")) {
    sl_send_reply("483", "Too Many Hops");
    exit;
  }
  t_relay();
}`,
})

ladder('a hop is counted', relaying(''), async ({ alice, bob }) => {
  await alice.sends(`MESSAGE ${bob.contact}`, { headers: { 'Max-Forwards': '70' } })
  expect((await bob.receives('MESSAGE')).header('Max-Forwards')).toBe('69')
})

ladder('RFC 3261 §16.3 step 3: the last hop answers 483', relaying(''), async ({ alice, bob }) => {
  await alice.sends(`MESSAGE ${bob.contact}`, { headers: { 'Max-Forwards': '0' } })
  await alice.receives('483 Too Many Hops')
})

ladder(
  'what is left above max_limit is cut to it',
  relaying('modparam("maxfwd", "max_limit", 20)'),
  async ({ alice, bob }) => {
    await alice.sends(`MESSAGE ${bob.contact}`, { headers: { 'Max-Forwards': '70' } })
    expect((await bob.receives('MESSAGE')).header('Max-Forwards')).toBe('20')
  },
)

ladder('one that is missing is added above the others', relaying(''), async ({ alice, bob }) => {
  await alice.sends(`MESSAGE ${bob.contact}`, { headers: { 'Max-Forwards': null } })
  expect((await bob.receives('MESSAGE')).text).toMatch(/^MESSAGE [^\n]*\r\nMax-Forwards: 10\r\n/)
})
