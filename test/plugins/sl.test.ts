import { expect } from 'vitest'
import { ladder } from '../../src/testing/index.ts'

const script = (body: string, more = '') => ({
  script: `
loadmodule "sl.so"
loadmodule "tm.so"
request_route {
${body}
}
${more}
`,
})

ladder(
  'sl_send_reply answers, with a tag of its own',
  script('sl_send_reply("404", "Not here");'),
  async ({ alice }) => {
    await alice.sends('INVITE sip:bob@example.com')
    const reply = await alice.receives('404 Not here')
    expect(reply.header('To')).toMatch(/;tag=[0-9a-f]{32}\.[0-9a-f]{8}$/)
    await alice.receivesNothing()
  },
)

ladder(
  'the code may be a variable; the phrase stays on one line',
  script('$var(c) = 480; send_reply("$var(c)", "$ru");'),
  async ({ alice }) => {
    await alice.sends('MESSAGE sip:bob@example.com')
    await alice.receives('480 sip:bob@example.com')
  },
)

ladder(
  'case 68: the first final answer is the only one, statelessly',
  script('sl_send_reply("404", "First"); sl_send_reply("500", "Second"); sl_reply_error();'),
  async ({ alice }) => {
    await alice.sends('MESSAGE sip:bob@example.com')
    await alice.receives('404 First')
    await alice.receivesNothing()
  },
)

ladder(
  'case 68: and with a transaction',
  script('t_newtran(); sl_send_reply("404", "First"); t_reply("500", "Second"); sl_reply_error();'),
  async ({ alice }) => {
    await alice.sends('MESSAGE sip:bob@example.com')
    const reply = await alice.receives('404 First')
    expect(reply.header('To')).toMatch(/;tag=[0-9a-f]{32}-[0-9a-f]{8}$/)
    await alice.receivesNothing()
  },
)

ladder(
  'sl_reply_error without a known error is a 500 (measured)',
  script('sl_reply_error();'),
  async ({ alice }) => {
    await alice.sends('MESSAGE sip:bob@example.com')
    await alice.receives("500 I'm terribly sorry, server error occurred (1/SL)")
  },
)

ladder(
  'after a failed t_relay it says what failed, once',
  script('$du = "nonsense"; if (!t_relay()) { sl_reply_error(); }'),
  async ({ alice }) => {
    await alice.sends('MESSAGE sip:bob@example.com')
    await alice.receives('478 Unresolvable destination (478/TM)')
    await alice.receivesNothing()
  },
)

ladder(
  'after a t_relay that works it does nothing',
  script('t_relay(); sl_reply_error();'),
  async ({ alice, bob }) => {
    await alice.sends(`MESSAGE ${bob.contact}`)
    await bob.receives('MESSAGE')
    await alice.receivesNothing()
    await bob.sends(200)
    await alice.receives(200)
  },
)

ladder('an ACK gets no answer', script('sl_send_reply("404", "Not here");'), async ({ alice }) => {
  await alice.sends('ACK sip:bob@example.com')
  await alice.receivesNothing()
})

ladder('case 25: a stray response is not forwarded', script('t_relay();'), async ({ alice, bob, router }) => {
  const stray = `SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP ${router.address}:5060;branch=z9hG4bKguess\r\nVia: SIP/2.0/UDP ${bob.host.address}:5060;branch=z9hG4bKvictim\r\nFrom: <sip:a@a>;tag=1\r\nTo: <sip:b@b>;tag=2\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n`
  await alice.sendsText(stray)
  await bob.receivesNothing()
})

ladder(
  "an answer's Content-Type stands before Server, as Kamailio writes it",
  {
    script: `
loadmodule "sl.so"
loadmodule "textops.so"
server_header="Server: us"
request_route {
  set_reply_body("said", "text/plain");
  sl_send_reply("200", "OK");
}`,
  },
  async ({ alice, bob }) => {
    await alice.sends(`MESSAGE ${bob.contact}`)
    const { text } = (await alice.receives(200)).message
    expect(text).toMatch(/\r\nContent-Type: text\/plain\r\nServer: us\r\nContent-Length: 4\r\n\r\nsaid$/)
  },
)
