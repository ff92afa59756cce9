import { playLadder } from '../../src/testing/index.ts'
import { type RequestParts, request } from './stand.ts'

/**
 * What a script says about a request: its body runs in request_route with all modules of this room, and answers with
 * `sl_send_reply("200", "...")`, whose reason phrase carries values out.
 */
export async function saidOf(
  body: string,
  parts: RequestParts & { params?: string; routes?: string; sockets?: string } = {},
): Promise<string> {
  let said = ''
  const script = `
${parts.sockets ?? 'listen=udp:192.0.2.1:5060'}
loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "tmx.so"
loadmodule "rr.so"
loadmodule "maxfwd.so"
loadmodule "path.so"
${parts.params ?? ''}
request_route {
${body}
}
${parts.routes ?? ''}
`
  await playLadder({ script }, { listen: null }, async ({ alice }) => {
    const via = `Via: SIP/2.0/UDP ${alice.host.address}:5060;rport;branch=z9hG4bKalice`
    await alice.sendsText(request({ method: 'MESSAGE', via, ...parts }))
    const answer = await alice.receives(200)
    said = answer.message.reasonPhrase
  })
  return said
}
