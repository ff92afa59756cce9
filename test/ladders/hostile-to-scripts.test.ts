import { resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type CollectingLog, ladder, playLadder } from '../../src/testing/index.ts'
import { hostile, modules, unique } from './hostile.ts'

/** What neither a message nor a mistake can make a script do: rows 48 to 51 and 68 of the list of attacks. */

describe('row 68: never two final answers, whatever the script says', () => {
  const twice = [
    { what: 'two of sl', body: 'sl_send_reply("403", "One"); sl_send_reply("404", "Two");' },
    { what: 'sl, then tm', body: 'sl_send_reply("403", "One"); t_newtran(); t_reply("404", "Two");' },
    { what: 'tm, then sl', body: 't_newtran(); t_reply("403", "One"); sl_send_reply("404", "Two");' },
    { what: 'tm twice', body: 't_newtran(); t_reply("403", "One"); t_reply("404", "Two");' },
    { what: 'save() that failed, then sl_reply_error()', body: 'save("location"); sl_reply_error();' },
    { what: 'an answer, then the relay and its answer', body: 'sl_send_reply("403", "One"); t_relay();' },
    {
      what: 'a relay that fails, then sl_reply_error()',
      body: '$du = "sip:nowhere.invalid"; t_relay(); sl_reply_error();',
    },
  ]
  test.each(twice)('$what', async ({ body }) => {
    const { captured } = await playLadder(
      {
        script: `${modules}\nrequest_route { if ($rU == "ping") { sl_send_reply("200", "OK"); exit; } $du = "sip:192.0.2.12"; ${body} exit; }`,
      },
      {},
      async ({ bob, ...world }) => {
        bob.answers('REGISTER', 200)
        const { network, router, advance } = world
        const sender = network.host('sender', { address: '203.0.113.1' })
        const socket = sender.bind(sender.address, 5060, { onDatagram() {}, onError() {} })
        socket.send(
          hostile({
            method: 'REGISTER',
            startLine: 'REGISTER sip:192.0.2.1 SIP/2.0',
            lines: ['Contact: <<>'],
          }),
          router.address,
          router.port,
        )
        await advance(60_000)
      },
    )
    const finals = captured.filter(
      ({ fromHost, text }) => fromHost === 'router' && /^SIP\/2\.0 [2-6]/.test(text),
    )
    expect(unique(finals)).toHaveLength(1)
  })
})

describe('row 51: what a message says is never read as a script', () => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: that is the point.
  const payload = '$ru %s %n ${process.exit(1)} $(hdr(Call-ID)) {{x}} $var(secret)'
  ladder(
    'in xlog, in new headers, in answers',
    {
      script: `${modules}
request_route {
  $var(secret) = "hunter2";
  xlog("L_INFO", "agent: $ua\\n");
  append_hf("X-Copy: $ua\\r\\n");
  append_to_reply("X-Copy: $ua\\r\\n");
  if ($rU == "answer") { sl_send_reply("200", "$ua"); exit; }
  $du = "sip:192.0.2.12:5060";
  t_relay();
}
`,
    },
    async ({ alice, bob, log }) => {
      await alice.sends('MESSAGE sip:answer@far.example', { headers: { 'User-Agent': payload } })
      const answer = await alice.receives(200)
      expect(answer.header('X-Copy')).toBe(payload)
      expect(answer.reasonPhrase).toBe(payload)
      await alice.sends('MESSAGE sip:x@far.example', { headers: { 'User-Agent': payload } })
      expect((await bob.receives('MESSAGE')).header('X-Copy')).toBe(payload)
      expect(log.messages('info')).toContain(`agent: ${payload}`)
    },
  )

  ladder(
    'row 50: nor does a folded header make new header lines',
    {
      script: `${modules}
request_route {
  append_hf("X-Copy: $hdr(X-Evil)\\r\\n");
  $du = "sip:192.0.2.12:5060";
  t_relay();
}
`,
    },
    async ({ alice, bob, router }) => {
      await alice.sendsText(hostile({ lines: ['X-Evil: a\r\n Injected: yes'] }), router)
      const request = await bob.receives('OPTIONS')
      expect(request.headers('Injected')).toEqual([])
    },
  )
})

describe('row 48: a plugin that fails', () => {
  const faulty = (body: string) => ({
    script: `${modules}
loadmodule "${resolve('test/ladders/faulty-plugin.ts')}"
request_route {
  if (is_method("OPTIONS")) { sl_send_reply("200", "Alive"); exit; }
  ${body}
  sl_send_reply("202", "Went on");
}
`,
  })
  const ways = ['throws()', 'throws_text()', 'throws_nothing()', 'rejects()', 'rejects_later()']
  for (const way of ways) {
    ladder(
      `${way}: one 500, a log line with the place, and the next message is served`,
      faulty(`${way};`),
      async ({ alice, log, running }) => {
        await alice.sends('MESSAGE sip:x@192.0.2.1')
        await alice.receives(500)
        await alice.receivesNothing()
        const errors = log.messages('error')
        expect(errors).toHaveLength(1)
        expect(errors[0]).toMatch(/ladder\.cfg:\d+/)
        if (way === 'throws()') expect(stackIn(log)).toContain('faulty-plugin.ts')
        expect(running.metrics.counter('viaduct_internal_errors_total', '').value()).toBe(0)
        await alice.sends('OPTIONS sip:192.0.2.1')
        await alice.receives(200)
      },
    )
  }

  ladder(
    'in a timer: a log line, and the timer goes on',
    faulty('schedules();'),
    async ({ alice, advance, log }) => {
      await alice.sends('MESSAGE sip:x@192.0.2.1')
      await alice.receives(202)
      await advance(3_500)
      expect(log.messages('error').length).toBeGreaterThanOrEqual(2)
      await alice.sends('OPTIONS sip:192.0.2.1')
      await alice.receives(200)
    },
  )

  ladder(
    'row 49: one that never comes back costs its message a 500, after half a minute',
    faulty('waits_for_ever();'),
    async ({ alice }) => {
      await alice.sends('MESSAGE sip:x@192.0.2.1')
      await alice.sends('OPTIONS sip:192.0.2.1')
      await alice.receives(200)
      await alice.receives(500, { within: 31_000 })
    },
  )
})

function stackIn(log: CollectingLog): string {
  const error = log.lines.find(({ level }) => level === 'error')?.fields['err']
  return error instanceof Error ? (error.stack ?? '') : ''
}
