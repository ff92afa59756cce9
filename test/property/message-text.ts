import fc from 'fast-check'

/** Arbitrary octets and arbitrary SIP messages, well-formed and nearly so, as Latin-1 text. */

export const octets = fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 400 }).map(toText)

/** Bits of messages thrown together: far more likely to get past the start line than octets are. */
export const debris = fc
  .array(
    fc.constantFrom(
      'INVITE sip:a@b SIP/2.0\r\n',
      'SIP/2.0 200 OK\r\n',
      'Via: SIP/2.0/UDP h:5060;branch=z9hG4bKx;rport\r\n',
      'v: SIP / 2.0 / TCP [::1] ; received = 1.2.3.4 , SIP/2.0/UDP x\r\n',
      'From: "a\\"b" <sip:a@b>;tag=1\r\n',
      't : sip:a@b;tag="x;y"\r\n',
      'CSeq: 1 INVITE\r\n',
      'Call-ID: x\r\n',
      'Content-Length: 3\r\n',
      'Contact: <sip:a@b;x=1>;q=0.5, *\r\n',
      'X:\r\n folded\r\n\tmore\r\n',
      '\r\n',
      '\n',
      '\r',
      ' ',
      '"',
      '<',
      '>',
      ',',
      ';',
      '=',
      ':',
      '\\',
      '%',
      '@',
      '\u0000',
      '\u00ff',
      'abc',
      '99999999999999999999',
      '-1',
    ),
    { maxLength: 30 },
  )
  .map((parts) => parts.join(''))

const word = fc.stringMatching(/^[A-Za-z0-9.!%*_+~-]{1,12}$/)
const blanks = fc.constantFrom('', ' ', '\t', '  ', '\r\n ', ' \r\n\t')
const visible = fc.stringMatching(/^[!-~ ]{0,30}$/).map((text) => text.trim())
const high = fc.stringMatching(/^[\u0080-\u00ff]{0,5}$/)

const otherHeader = fc
  .tuple(word, fc.constantFrom('', ' ', '\t'), blanks, visible, blanks, high)
  .filter(([name]) => !/^[a-z]$/i.test(name) && !/^(via|to|from|cseq|path|date|route)$/i.test(name))
  .map(
    ([name, space, before, value, fold, tail]) =>
      `X-${name}${space}:${before}${value}${tail ? fold + tail : ''}\r\n`,
  )

/** A request without a fault, its headers in any order. */
export const request = fc
  .record({
    method: fc.constantFrom('INVITE', 'MESSAGE', 'REGISTER', 'FOO'),
    user: word,
    tag: word,
    others: fc.array(otherHeader, { maxLength: 8 }),
    cseq: fc.integer({ min: 0, max: 0x7fffffff }),
    body: fc.oneof(fc.constant(''), octets),
    trailer: fc.constantFrom('', '', 'trailing octets'),
    compact: fc.boolean(),
    order: fc.array(fc.nat(), { minLength: 20, maxLength: 20 }),
  })
  .map((parts) => {
    const { method, user, tag, cseq, body, compact } = parts
    const headers = [
      `${compact ? 'v' : 'Via'}: SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bK${tag};rport\r\n`,
      `${compact ? 'f' : 'From'}: "x, y" <sip:${encodeURIComponent(user)}@example.com>;tag=${tag}\r\n`,
      `${compact ? 't' : 'To'} : sip:bob@example.com\r\n`,
      `${compact ? 'i' : 'Call-ID'}:${tag}@host\r\n`,
      `CSeq:\r\n ${cseq}  ${method}\r\n`,
      `${compact ? 'l' : 'Content-Length'}: ${body.length}\r\n`,
      ...parts.others,
    ]
    const shuffled = headers
      .map((header, index) => ({ header, key: parts.order[index] ?? 0 }))
      .sort((a, b) => a.key - b.key)
      .map(({ header }) => header)
    const text = `${method} sip:bob@example.com SIP/2.0\r\n${shuffled.join('')}\r\n${body}${parts.trailer}`
    return { text, ...parts }
  })

function toText(codes: readonly number[]): string {
  return String.fromCharCode(...codes)
}
