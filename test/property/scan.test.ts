import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { buildAck, buildCancel, buildResponse } from '../../src/sip/build.ts'
import { asciiLower } from '../../src/sip/bytes.ts'
import { headerId, headerKey } from '../../src/sip/header-id.ts'
import { parseChallenges, parseCredentials } from '../../src/sip/headers/credentials.ts'
import { parseNameAddr, parseNameAddrs, splitValues } from '../../src/sip/headers/name-addr.ts'
import { parseVia } from '../../src/sip/headers/via.ts'
import type { SipMessage } from '../../src/sip/message.ts'
import { isFault, scanMessage } from '../../src/sip/scan.ts'
import { parseUri } from '../../src/sip/uri.ts'
import { writeMessage } from '../../src/sip/write.ts'
import { mutate, mutation } from './hostile-text.ts'
import { debris, octets, request } from './message-text.ts'

/** The same message by the plainest means: regular expressions over the whole text, nothing lazy. */
function readPlainly(text: string) {
  const [startLine = '', ...lines] = text.slice(0, text.indexOf('\r\n\r\n')).split('\r\n')
  const unfolded = lines.join('\r\n').replace(/[ \t]*\r\n[ \t]+/g, ' ')
  const headers = unfolded.split('\r\n').map((line) => {
    const colonAt = line.indexOf(':')
    return {
      name: line.slice(0, colonAt).trimEnd(),
      value: line.slice(colonAt + 1).replace(/^[ \t]+|[ \t]+$/g, ''),
    }
  })
  return { startLine, headers, rest: text.slice(text.indexOf('\r\n\r\n') + 4) }
}

/** Asks for everything that a message can be asked. */
function readAll(message: SipMessage): unknown[] {
  const answers: unknown[] = [message.method, message.methodMask, message.requestUri, message.reasonPhrase]
  for (let index = 0; index < message.headerCount; index++) {
    answers.push(message.headerName(index), message.headerValue(index), message.next(index))
    answers.push(message.find(message.headerName(index)))
  }
  answers.push(message.topmostVia, message.vias(), message.from, message.to, message.fromTag, message.toTag)
  answers.push(message.callId, message.cseq, message.body)
  answers.push(
    buildResponse(message, 400, 'Bad', { toTag: 't' }),
    buildCancel(message),
    buildAck(message, message),
  )
  return answers
}

describe('whatever the octets', () => {
  test.each([
    ['octets', octets],
    ['debris of messages', debris],
  ])('%s: the scan gives a value, and everything can be asked of it', (_what, texts) => {
    fc.assert(
      fc.property(texts, (text) => {
        const result = scanMessage(text)
        if (isFault(result)) expect(result.status).toBeGreaterThanOrEqual(400)
        else expect(readAll(result).length).toBeGreaterThan(10)
      }),
    )
  })

  it('parts can be read too', () => {
    fc.assert(
      fc.property(fc.oneof(octets, debris), (text) => {
        for (const parse of [
          parseUri,
          parseVia,
          parseNameAddr,
          parseCredentials,
          parseChallenges,
          splitValues,
        ]) {
          parse(text)
        }
        parseNameAddrs(text, 5)
      }),
    )
  })

  it('offsets follow each other: name, value, line, headers, body', () => {
    fc.assert(
      fc.property(debris, (text) => {
        const message = scanMessage(text)
        if (isFault(message)) return
        let position = message.headersStart
        for (let index = 0; index < message.headerCount; index++) {
          expect(message.headerStart(index)).toBe(position)
          expect(message.headerValueStart(index)).toBeGreaterThanOrEqual(
            position + message.headerName(index).length,
          )
          expect(message.headerValueEnd(index)).toBeGreaterThanOrEqual(message.headerValueStart(index))
          expect(message.headerEnd(index)).toBeGreaterThanOrEqual(message.headerValueEnd(index))
          position = message.headerEnd(index)
        }
        expect(message.headersEnd).toBe(position)
        expect(message.bodyStart).toBeGreaterThanOrEqual(message.headersEnd)
        expect(message.bodyEnd).toBeGreaterThanOrEqual(message.bodyStart)
        expect(message.bodyEnd).toBeLessThanOrEqual(message.text.length)
      }),
    )
  })

  it('a message is written as it was read', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          debris,
          request.map(({ text }) => text),
        ),
        (text) => {
          const message = scanMessage(text)
          if (!isFault(message))
            expect(writeMessage(message, null)).toBe(message.text.slice(0, message.bodyEnd))
        },
      ),
    )
  })
})

describe('what is quick and what takes its time come to the same', () => {
  /** Names in another case, version in small letters: what no sender writes, and no short cut is made for. */
  function asNobodyWrites(text: string): string {
    const headersEnd = text.search(/\r?\n\r?\n/)
    const head = headersEnd === -1 ? text : text.slice(0, headersEnd)
    return (
      head
        .replace(/^([^\n]*) SIP\/2\.0(\r?\n)/, '$1 sip/2.0$2')
        .replace(/^SIP\/2\.0/, 'sip/2.0')
        .replace(/(\n[A-Za-z-]+)(?=:)/g, swapCase) + text.slice(head.length)
    )
  }

  function swapCase(text: string): string {
    return text.replace(/[A-Za-z]/g, (letter) => (letter < 'a' ? letter.toLowerCase() : letter.toUpperCase()))
  }

  /** All that does not depend on the case of names. */
  function outcome(text: string): unknown {
    const result = scanMessage(text)
    if (isFault(result)) return { ...result, reason: result.reason.toLowerCase() }
    const rows = Array.from({ length: result.headerCount }, (_, index) => [
      result.headerId(index),
      result.headerName(index).toLowerCase(),
      result.headerValue(index),
      result.headerStart(index),
      result.headerValueStart(index),
      result.headerValueEnd(index),
      result.next(index),
    ])
    const { method, requestUri, statusCode, reasonPhrase, fault, from, to, cseq, callId } = result
    const { topmostVia, fromTag, toTag, body, headersEnd, bodyStart, bodyEnd } = result
    return [
      [method, requestUri, statusCode, reasonPhrase, from, to, cseq, callId, fromTag, toTag, body],
      [headersEnd, bodyStart, bodyEnd, topmostVia?.start, topmostVia?.branch, topmostVia?.received],
      fault && { ...fault, reason: fault.reason.toLowerCase() },
      rows,
    ]
  }

  test.each([
    ['requests', request.map(({ text }) => text)],
    ['debris', debris],
  ])('%s, changed a little, written as usual and as nobody does', (_what, texts) => {
    fc.assert(
      fc.property(texts, fc.array(mutation, { maxLength: 3 }), (text, mutations) => {
        const usual = mutate(text, mutations)
        expect(outcome(asNobodyWrites(usual))).toEqual(outcome(usual))
      }),
    )
  })

  it('a message answers the same after others were scanned', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          debris,
          request.map(({ text }) => text),
        ),
        request,
        (text, other) => {
          const at = scanMessage(text)
          if (isFault(at)) return
          const expected = readAll(at)
          const later = scanMessage(text)
          scanMessage(other.text)
          if (isFault(later)) throw new Error(later.reason)
          expect(readAll(later)).toEqual(expected)
        },
      ),
    )
  })
})

describe('a request that is right', () => {
  it('agrees with a plain reading', () => {
    fc.assert(
      fc.property(request, ({ text, method, cseq, tag, body }) => {
        const message = scanMessage(text)
        if (isFault(message)) throw new Error(message.reason)
        expect(message.fault).toBeNull()
        const plain = readPlainly(text)
        expect(`${message.method} ${message.requestUri} SIP/2.0`).toBe(plain.startLine)
        expect(message.headerCount).toBe(plain.headers.length)
        for (const [index, { name, value }] of plain.headers.entries()) {
          expect(message.headerName(index)).toBe(name)
          expect(message.headerValue(index)).toBe(value)
          const same = (other: string) =>
            headerId(other) === headerId(name) &&
            (headerId(name) !== 0 || headerKey(other) === headerKey(name))
          const indexes = plain.headers.flatMap((header, at) => (same(header.name) ? [at] : []))
          expect(message.find(name.toUpperCase())).toBe(indexes[0])
          expect(message.next(index)).toBe(indexes[indexes.indexOf(index) + 1] ?? -1)
        }
        expect(message).toMatchObject({ body, fromTag: tag, toTag: '', callId: `${tag}@host` })
        expect(message.cseq).toEqual({ number: cseq, method })
        expect(message.topmostVia).toMatchObject({ host: '192.0.2.1', port: 5070, rport: 0 })
        expect(message.from?.displayName).toBe('"x, y"')
      }),
    )
  })

  it('its response scans, belongs to it, and takes no more than it was given', () => {
    fc.assert(
      fc.property(request, ({ text }) => {
        const message = scanMessage(text)
        if (isFault(message)) throw new Error(message.reason)
        const response = scanMessage(buildResponse(message, 486, 'Busy Here', { toTag: 'ours' }))
        if (isFault(response)) throw new Error(response.reason)
        expect(response).toMatchObject({ statusCode: 486, toTag: 'ours', fromTag: message.fromTag, body: '' })
        expect(response.topmostVia?.branch).toBe(message.topmostVia?.branch)
        expect(response.cseq).toEqual(message.cseq)
      }),
    )
  })
})

describe('time is linear in the octets (security.md case 38)', () => {
  const head = 'OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\n'
  const rest = '\r\nTo: <sip:a@b>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\n\r\n'
  const bombs: [string, (size: number) => string][] = [
    ['quotes', (size) => `${head}Contact: ${'"'.repeat(size)}${rest}`],
    ['angle brackets', (size) => `${head}Contact: ${'<'.repeat(size)}${rest}`],
    ['semicolons', (size) => `${head}Contact: <sip:a@b>${';'.repeat(size)}${rest}`],
    ['commas in Via', (size) => `${head}Via: ${','.repeat(size)}${rest}`],
    ['parameters of Via', (size) => head.replace('branch', `${';x'.repeat(size / 2)};branch`) + rest],
    ['blanks and a fold', (size) => `${head}Subject: a${' '.repeat(size)}\r\n b${rest}`],
    ['folds', (size) => `${head}Subject: a${'\r\n b'.repeat(size / 4)}${rest}`],
    ['lines without a colon', (size) => `${head}${'a\n'.repeat(size / 2)}${rest}`],
    ['escapes', (size) => `${head.replace('a@b SIP', `${'%41'.repeat(size / 3)}@b SIP`)}${rest}`],
    ['backslashes', (size) => `${head}Contact: "${'\\'.repeat(size)}${rest}`],
    ['bare CRs', (size) => `${head}Subject: ${'\r'.repeat(size)}${rest}`],
    ['tags', (size) => head.replace('tag=1', `${'tag;'.repeat(size / 4)}tag=1`) + rest],
  ]

  test.each(bombs)('%s', (_what, make) => {
    const text = make(60_000)
    const milliseconds = Math.min(...[1, 2, 3].map(() => timeOf(text)))
    expect(milliseconds).toBeLessThan(20)
  })

  function timeOf(text: string): number {
    const started = performance.now()
    const result = scanMessage(text)
    if (!isFault(result)) readAll(result)
    return performance.now() - started
  }
})

test('asciiLower changes the letters A to Z and nothing else', () => {
  fc.assert(
    fc.property(octets, (text) => {
      const expected = [...text].map((c) =>
        c >= 'A' && c <= 'Z' ? String.fromCharCode(c.charCodeAt(0) + 32) : c,
      )
      expect(asciiLower(text)).toBe(expected.join(''))
    }),
  )
})
