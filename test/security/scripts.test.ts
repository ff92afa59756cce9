import { describe, expect } from 'vitest'
import { ladder } from '../../src/testing/index.ts'

/** What a script can do to its own router by mistake, and what others feel of it: rows 46 and 47 of the list of attacks. */
const modules = ['tm', 'sl', 'xlog', 'pv'].map((name) => `loadmodule "${name}.so"`).join('\n')

const alive = 'if ($rm == "OPTIONS") { sl_send_reply("200", "Alive"); exit; }'

describe('row 47: a script that never ends', () => {
  const runaways: [string, string, string, number][] = [
    ['a loop ends after 100 rounds', 'while (1) { $var(i) = $var(i) + 1; }', 'more than 100 times', 202],
    ['a route in itself ends 256 deep', 'route(SELF);', 'more than 256 routes', 202],
    [
      'loops in loops in loops: 500',
      'while (1) { while (1) { while (1) { while (1) { $var(i) = 1; } } } }',
      'more than 100000 rounds',
      500,
    ],
    ['a route that calls itself twice: 500', 'route(TWICE);', 'more than 100000 rounds', 500],
    [
      'a loop that the script set free: 500',
      'while (1) { $var(i) = $var(i) + 1; }',
      'more than 100000 rounds',
      500,
    ],
  ]
  for (const [title, body, line, status] of runaways) {
    const script = `
      ${title.includes('set free') ? 'max_while_loops=0' : ''}
      ${modules}
      request_route { ${alive} ${body} sl_send_reply("202", "Went on"); }
      route[SELF] { route(SELF); }
      route[TWICE] { route(TWICE); route(TWICE); }`
    ladder(title, { script }, async ({ alice, log }) => {
      await alice.sends('MESSAGE sip:x@192.0.2.1')
      const began = performance.now()
      await alice.receives(status)
      expect(performance.now() - began).toBeLessThan(1_000)
      expect(log.lines.some(({ message }) => message.includes(line))).toBe(true)
      await alice.sends('OPTIONS sip:192.0.2.1')
      await alice.receives(200)
    })
  }
})

describe('row 46: a pattern that backtracks', () => {
  ladder(
    'takes linear time: the next message does not wait',
    {
      script: `${modules}
        request_route {
          ${alive}
          if ($ua =~ "(a+)+$" || $ua =~ "^(([a-z])+.)+[A-Z]([a-z])+$") xlog("L_INFO", "matches\\n");
          sl_send_reply("202", "Went on");
        }`,
    },
    async ({ alice }) => {
      const began = performance.now()
      await alice.sends('MESSAGE sip:x@192.0.2.1', { headers: { 'User-Agent': `${'a'.repeat(15_000)}!` } })
      await alice.receives(202)
      await alice.sends('OPTIONS sip:192.0.2.1')
      await alice.receives(200)
      expect(performance.now() - began).toBeLessThan(1_000)
    },
  )
})
