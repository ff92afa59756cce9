import { describe, expect, it, test } from 'vitest'
import { limits } from '../../src/limits.ts'
import { HeaderId } from '../../src/sip/header-id.ts'
import type { SipMessage } from '../../src/sip/message.ts'
import { isFault, scanMessage } from '../../src/sip/scan.ts'
import { writeMessage } from '../../src/sip/write.ts'
import { scanVerdict, tortureCase, tortureCases } from './corpus.ts'

/**
 * Messages that the scan lets pass although the RFC calls them invalid: who refuses them, or why nobody must.
 */
const leftToOthers: Record<string, string> = {
  '4475-badinv01': 'stray separators in Contact and Via parameters: forwarded as they are',
  '4475-escruri': 'headers in the Request-URI are kept, never turned into headers',
  '4475-baddate': 'Date is not ours to read',
  '4475-regbadct': 'the registrar reads Contact',
  '4475-badaspec': 'white space in angle brackets is stripped',
  '4475-baddn': 'a display name that is no token has one meaning only',
  '4475-badbranch': 'a branch that is the cookie alone is compared as RFC 2543 says',
  '4475-unkscm': 'RFC 3261 §16.3 step 2: the proxy answers 416',
  '4475-novelsc': 'RFC 3261 §16.3 step 2: the proxy answers 416',
  '4475-unksm2': 'the registrar reads To',
  '4475-bext01': 'RFC 3261 §16.3 step 5: the proxy answers 420',
  '4475-bcast': 'a response without a transaction goes nowhere',
}

function scanned(name: string): SipMessage {
  const result = scanMessage(tortureCase(name).text)
  if (isFault(result)) throw new Error(`${name}: ${result.reason}`)
  return result
}

describe('RFC 4475 and RFC 5118: what the scan says', () => {
  test('the corpus is complete', () => {
    expect(tortureCases).toHaveLength(61)
  })

  test.each(tortureCases.filter(({ isValid }) => isValid))('$name is valid and passes', ({ text }) => {
    expect(scanVerdict(text)).toBe('pass')
  })

  test.each(tortureCases.filter(({ isValid }) => !isValid))(
    '$name is refused, or left to who must',
    (torture) => {
      const verdict = scanVerdict(torture.text)
      if (verdict === 'pass') expect(Object.keys(leftToOthers)).toContain(torture.name)
      else expect(torture.acceptable).toContain(verdict)
    },
  )

  test.each(Object.keys(leftToOthers))('%s does pass: the list above is no dead letter', (name) => {
    expect(scanVerdict(tortureCase(name).text)).toBe('pass')
  })

  test.each(tortureCases)('$name is written as it was read', ({ text }) => {
    const result = scanMessage(text)
    if (isFault(result)) return
    expect(text.startsWith(writeMessage(result, null))).toBe(true)
    expect(writeMessage(result, null)).toBe(result.text.slice(0, result.bodyEnd))
  })
})

describe('RFC 4475: what is read from the messages', () => {
  it('3.1.1.1: values over several lines, compact and odd names', () => {
    const message = scanned('4475-wsinv')
    expect(message.toTag).toBe('1918181833n')
    expect(message.fromTag).toBe('98asjd8')
    expect(message.cseq).toEqual({ number: 9, method: 'INVITE' })
    expect(message.value(HeaderId.maxForwards)).toBe('0068')
    expect(message.headerValue(message.find('newfangledheader'))).toBe(
      'newfangled value continued newfangled value',
    )
    expect(message.vias().map(({ transport, host, branch }) => ({ transport, host, branch }))).toEqual([
      { transport: 'UDP', host: '192.0.2.2', branch: '390skdjuw' },
      { transport: 'TCP', host: 'spindle.example.com', branch: 'z9hG4bK9ikj8' },
      { transport: 'UDP', host: '192.168.255.111', branch: 'z9hG4bK30239' },
    ])
    expect(message.body).toMatch(/^v=0\r\n/)
  })

  it('3.1.1.2: a method of odd characters, and octets that are no UTF-8', () => {
    const message = scanned('4475-intmeth')
    expect(message.method).toBe("!interesting-Method0123456789_*+`.%indeed'~")
    expect(message.from?.displayName).toBe("token1~` token2'+_ token3*%!.-")
    expect(message.to?.displayName).toBe('"BEL:\\\u0007 NUL:\\\u0000 DEL:\\\u007f"')
  })

  it('3.1.1.5: an escaped method is not the method', () => {
    expect(scanned('4475-esc02').method).toBe('RE%47IST%45R')
  })

  it('3.1.1.8: a second request behind the body is no part of the first', () => {
    const message = scanned('4475-dblreq')
    expect(message.method).toBe('REGISTER')
    expect(message.body).toBe('')
    expect(message.bodyEnd).toBeLessThan(message.text.length)
  })

  it('3.1.1.11: binary parts', () => {
    const message = scanned('4475-mpart01')
    expect(message.body).toHaveLength(Number(message.value(HeaderId.contentLength)))
  })

  it('3.1.1.13: an empty reason phrase', () => {
    expect(scanned('4475-noreason')).toMatchObject({ isRequest: false, statusCode: 100, reasonPhrase: '' })
  })

  it('3.2.1: a branch of nothing but the cookie is no RFC 3261 branch', () => {
    expect(scanned('4475-badbranch').topmostVia).toMatchObject({ branch: 'z9hG4bK', isRfc3261: false })
  })

  it.each([
    ['5118-via-received-param-with-delim', '2001:db8::9:255'],
    ['5118-via-received-param-no-delim', '2001:db8::9:255'],
  ])('%s: received with and without brackets', (name, received) => {
    expect(scanned(name).topmostVia?.received).toBe(received)
  })
})

describe('limits', () => {
  const head = 'OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP c;branch=z9hG4bKx\r\n'
  const rest = 'From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\n\r\n'
  it.each([
    ['too many headers', head + 'X: 1\r\n'.repeat(limits.headersMax) + rest, '400'],
    ['a header that is too long', `${head}X: ${'x'.repeat(limits.headerBytesMax)}\r\n${rest}`, '400'],
    ['a Request-URI that is too long', head.replace('a@b', `${'a'.repeat(2048)}@b`) + rest, '414'],
  ])('%s', (_what, text, verdict) => {
    expect(scanVerdict(text)).toBe(verdict)
  })
})
