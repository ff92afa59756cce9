/** Messages of the shape that the load generator sends, as many different ones as a cache of the last would not help. */
const count = 256

const numbers = Array.from({ length: count }, (_, index) => String(index).padStart(8, '0'))
const text = 'The quick brown fox jumps over the lazy dog. '.repeat(6).slice(0, 256)
const sdp = [
  'v=0',
  'o=- 1 1 IN IP4 127.0.0.1',
  's=-',
  'c=IN IP4 127.0.0.1',
  't=0 0',
  'm=audio 20000 RTP/AVP 0 8 101',
  'a=rtpmap:0 PCMU/8000',
  'a=rtpmap:8 PCMA/8000',
  'a=rtpmap:101 telephone-event/8000',
  'a=sendrecv',
  '',
].join('\r\n')

function request(method: string, number: string, contentType: string, body: string): string {
  return flat([
    `${method} sip:u${number}@127.0.0.1:5090 SIP/2.0`,
    `Via: SIP/2.0/UDP 127.0.0.1:40000;branch=z9hG4bK-${number}-00000001-1;rport`,
    'Max-Forwards: 70',
    `From: "Alice B" <sip:a${number}@bench.test>;tag=f${number}`,
    `To: <sip:u${number}@bench.test>`,
    `Call-ID: ${number}-00000001@127.0.0.1`,
    `CSeq: 1 ${method}`,
    'Contact: <sip:alice@127.0.0.1:40000;transport=udp>',
    'User-Agent: sipgen/1.0 (bench)',
    `Content-Type: ${contentType}`,
    `Content-Length: ${body.length}`,
    '',
    body,
  ])
}

function response(number: string): string {
  return flat([
    'SIP/2.0 200 OK',
    `Via: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKs0.0123456789abcdef.${number}.0`,
    `Via: SIP/2.0/UDP 127.0.0.1:40000;received=127.0.0.1;branch=z9hG4bK-${number}-00000001-1;rport=40000`,
    `From: "Alice B" <sip:a${number}@bench.test>;tag=f${number}`,
    `To: <sip:u${number}@bench.test>;tag=uas1`,
    `Call-ID: ${number}-00000001@127.0.0.1`,
    'CSeq: 1 MESSAGE',
    'Content-Length: 0',
    '',
    '',
  ])
}

/** One run of octets, as a datagram is. */
function flat(lines: readonly string[]): string {
  return Buffer.from(lines.join('\r\n'), 'latin1').toString('latin1')
}

/** The next of them at each call. */
function inTurn(texts: readonly string[]): () => string {
  let at = 0
  return () => texts[at++ % count] ?? ''
}

/** MESSAGE, 670 octets, ten headers. */
export const nextMessage = inTurn(numbers.map((number) => request('MESSAGE', number, 'text/plain', text)))
/** INVITE with a session description, 700 octets. */
export const nextInvite = inTurn(numbers.map((number) => request('INVITE', number, 'application/sdp', sdp)))
/** 200 with two Vias, as the last hop sends it to us. */
export const nextResponse = inTurn(numbers.map(response))
