import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseNameAddr, readUriOf } from '../../src/sip/headers/name-addr.ts'
import {
  escapeUser,
  parseUri,
  unescapeUser,
  urisEqual,
  withHost,
  withoutParam,
  withParam,
  withPort,
  withUser,
  writeUri,
} from '../../src/sip/uri.ts'
import { isUsualUri, readUri, readUriIn } from '../../src/sip/uri-parse.ts'
import { mutate, mutation } from './hostile-text.ts'
import { octets } from './message-text.ts'

const user = fc.stringMatching(/^[A-Za-z0-9_.!~*'()&=+$,;?/%-]{1,15}$/)
const host = fc.oneof(
  fc.constantFrom('example.com', '192.0.2.1', '[2001:db8::1]', 'a-b.c_d.org'),
  fc.domain(),
)
const param = fc.tuple(fc.stringMatching(/^[a-z]{1,6}$/), fc.stringMatching(/^[A-Za-z0-9:%-]{0,6}$/))

const uri = fc
  .record({
    scheme: fc.constantFrom('sip', 'sips', 'SIP'),
    user: fc.option(user),
    password: fc.option(fc.stringMatching(/^[a-z0-9&=+$,]{0,6}$/)),
    host,
    port: fc.option(fc.integer({ min: 1, max: 65_535 })),
    params: fc.array(param, { maxLength: 4 }),
    headers: fc.option(fc.constantFrom('subject=x', 'a=1&b=2')),
  })
  .map((parts) => {
    const password = parts.password === null ? '' : `:${parts.password}`
    const userInfo = parts.user === null ? '' : `${parts.user}${password}@`
    const params = parts.params.map(([name, value]) => `;${name}${value === '' ? '' : `=${value}`}`).join('')
    const port = parts.port === null ? '' : `:${parts.port}`
    const headers = parts.headers === null ? '' : `?${parts.headers}`
    return { ...parts, text: `${parts.scheme}:${userInfo}${parts.host}${port}${params}${headers}` }
  })

describe('URIs', () => {
  it('are read into the parts that they were made of, and written as they were', () => {
    fc.assert(
      fc.property(uri, ({ text, ...parts }) => {
        const parsed = parseUri(text)
        if (parsed === null) throw new Error(`not read: ${text}`)
        expect(parsed.user).toBe(parts.user)
        expect(parsed.password).toBe(parts.user === null ? null : parts.password)
        expect(parsed.host).toBe(parts.host.replace(/[[\]]/g, ''))
        expect(parsed.port).toBe(parts.port ?? 0)
        expect(parsed.headers).toBe(parts.headers ?? '')
        expect(writeUri(parsed)).toBe(text)
        expect(writeUri({ ...parsed })).toBe(text.replace(/^SIP:/, 'sip:'))
      }),
    )
  })

  it('what is read from any octets is written back to them', () => {
    fc.assert(
      fc.property(octets, (text) => {
        for (const candidate of [text, `sip:${text}`, `tel:${text}`, `sip:a@${text}`]) {
          const parsed = parseUri(candidate)
          if (parsed !== null) expect(writeUri(parsed)).toBe(candidate)
        }
      }),
    )
  })

  /** The short cut recognizes `sip:` alone: another way of writing the scheme is left to the general reader. */
  it('are read by the short cut as by the general reader, wherever they stand', () => {
    const damaged = fc
      .tuple(uri, fc.array(mutation, { maxLength: 3 }))
      .map(([{ text }, changes]) => mutate(text, changes))
    const usual = fc
      .tuple(user, host, fc.integer({ min: -1, max: 70_000 }))
      .map(([name, domain, port]) => `sip:${name}@${domain}${port < 0 ? '' : `:${port}`}`)
    fc.assert(
      fc.property(fc.oneof(damaged, usual, octets), octets, octets, (text, before, after) => {
        const rest = text.slice(4)
        const short = readUri(`sip:${rest}`)
        const general = readUri(`SIP:${rest}`)
        expect(short === null ? null : { ...short, ...short.places }).toEqual(
          general === null ? null : { ...general, ...general.places },
        )
        const within = readUriIn(
          `${before}sip:${rest}${after}`,
          before.length,
          before.length + 4 + rest.length,
        )
        expect(within).toEqual(short)
        expect(within?.text).toBe(short?.text)
      }),
      { numRuns: 2_000 },
    )
  })

  it('of From and To are read where they stand as from the value', () => {
    const value = fc
      .tuple(
        fc.constantFrom('', '"A <b>" ', 'A b ', '\r\n '),
        uri,
        fc.constantFrom('', ';tag=x', ' ;tag="a>b"'),
        fc.array(mutation, { maxLength: 3 }),
      )
      .map(([name, { text }, params, changes]) => mutate(`${name}<${text}>${params}`, changes))
    fc.assert(
      fc.property(value, octets, octets, (text, before, after) => {
        const header = parseNameAddr(text)
        const found = readUriOf(before + text + after, before.length, before.length + text.length)
        expect(found).toEqual(header === null ? null : readUri(header.uri))
      }),
      { numRuns: 2_000 },
    )
  })

  it('equal themselves, whatever the case of host and scheme', () => {
    fc.assert(
      fc.property(uri, ({ text, host: written }) => {
        expect(urisEqual(text, text)).toBe(true)
        const other = text.replace(written, written.toUpperCase()).replace(/^sips?:/i, (s) => s.toUpperCase())
        if (text.split(written).length === 2) expect(urisEqual(text, other)).toBe(true)
      }),
    )
  })

  it('equality is symmetric', () => {
    const params = fc.constantFrom('', ';lr', ';transport=udp', ';TRANSPORT=UDP', ';x=1', ';x=2', ';x=%31')
    const few = fc
      .tuple(fc.constantFrom('a', '%61', 'A'), fc.constantFrom('', ':5060'), params, params)
      .map(([name, port, one, two]) => `sip:${name}@h${port}${one}${two}`)
    fc.assert(
      fc.property(few, few, (a, b) => {
        expect(urisEqual(a, b)).toBe(urisEqual(b, a))
      }),
    )
  })

  it('a writer changes its part and no other', () => {
    fc.assert(
      fc.property(
        uri,
        user,
        host,
        fc.integer({ min: 0, max: 65_535 }),
        ({ text }, newUser, newHost, port) => {
          const before = { ...parseUri(text) }
          const plain = newHost.replace(/[[\]]/g, '')
          const isIpv6 = newHost.startsWith('[')
          expect({ ...parseUri(withUser(text, newUser) ?? '') }).toEqual({ ...before, user: newUser })
          expect({ ...parseUri(withHost(text, newHost) ?? '') }).toEqual({
            ...before,
            host: plain,
            hostIsIpv6: isIpv6,
          })
          expect({ ...parseUri(withPort(text, port) ?? '') }).toEqual({ ...before, port })
          expect({ ...parseUri(withUser(text, null) ?? '') }).toEqual({
            ...before,
            user: null,
            password: null,
          })
        },
      ),
    )
  })

  it('a parameter that was added can be removed', () => {
    fc.assert(
      fc.property(uri, ({ text }) => {
        const added = withParam(text, 'zzzzzzz=1') ?? ''
        expect(withoutParam(added, 'ZZZZZZZ')).toBe(text)
        expect(withoutParam(text, 'zzzzzzz')).toBe(text)
      }),
    )
  })

  it('what is taken for a usual URI without being made is one of the scheme sip, wherever it stands', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          uri.map(({ text }) => text),
          octets,
        ),
        mutation,
        octets,
        (text, change, after) => {
          for (const written of [text, mutate(text, [change])]) {
            if (!isUsualUri(`<${written}>${after}`, 1, written.length + 1)) continue
            expect(readUri(written)?.scheme).toBe('sip')
          }
        },
      ),
    )
  })

  it('most are usual', () => {
    for (const written of ['sip:a@h', 'sip:a@h:5060;transport=udp', 'sip:h;lr', 'sip:192.0.2.1:5070']) {
      expect(isUsualUri(`<${written}>`, 1, written.length + 1)).toBe(true)
    }
  })

  it('escaping a user and back gives the same octets', () => {
    fc.assert(
      fc.property(octets, (text) => {
        expect(unescapeUser(escapeUser(text))).toBe(text)
        if (text !== '') expect(parseUri(`sip:${escapeUser(text)}@h`)?.user).toBe(escapeUser(text))
      }),
    )
  })
})
