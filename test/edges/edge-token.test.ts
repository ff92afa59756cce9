import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isLikeToken, mintToken, readToken, type TokenKind } from '../../src/edges/edge-token.ts'
import { parseUri } from '../../src/sip/uri.ts'

const secret = Buffer.from('0123456789abcdef0123456789abcdef')
const other = Buffer.from('0123456789abcdef0123456789abcdeg')
const ruid = 'uloc-4f1a9c33b2d0-1a-5d3c9e10'
const callId = '3848276298220188511@10.92.240.131'
const token = mintToken(secret, { ruid, callId, kind: 'request' })
const kinds: TokenKind[] = ['request', 'inward', 'outward']

test.each(kinds)('a token of kind %s is read as what it was written as', (kind) => {
  const text = mintToken(secret, { ruid, callId, kind })
  expect(readToken(secret, text, callId)).toEqual({ ruid, kind })
  expect(isLikeToken(text)).toBe(true)
})

test('whatever the names are, it is the user part of a URI as it stands, and comes back', () => {
  const octets = fc.string({
    unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
  })
  const names = octets.filter((name) => name !== '' && encodeURIComponent(name).length <= 255)
  fc.assert(
    fc.property(names, octets, fc.constantFrom(...kinds), (name, call, kind) => {
      const text = mintToken(secret, { ruid: name, callId: call, kind })
      expect(text).toMatch(/^[A-Za-z0-9\-_.!~*'()%]+$/)
      expect(parseUri(`sip:${text}@192.0.2.1:5070;lr`)?.user).toBe(text)
      expect(readToken(secret, text, call)).toEqual({ ruid: name, kind })
    }),
  )
})

test('no octets make it throw', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(readToken(secret, text, callId)).toBeNull()
      expect(readToken(secret, `flow.r.${text}`, callId)).toBeNull()
    }),
  )
})

describe('what no edge has written for this Call-ID is none', () => {
  const [head = '', letter = '', signature = '', name = ''] = token.split('.')
  const forged: readonly [string, string, Buffer?, string?][] = [
    ['nothing', ''],
    ['no signature', `flow.r..${ruid}`],
    ['no binding', `flow.r.${signature}.`],
    ['another binding', `${head}.${letter}.${signature}.uloc-4f1a9c33b2d0-1b-5d3c9e10`],
    ['the same binding, spelt otherwise', `${head}.${letter}.${signature}.${name.replace('u', '%75')}`],
    ['another kind', `${head}.i.${signature}.${name}`],
    ['a kind that there is not', `${head}.x.${signature}.${name}`],
    ['a signature that is cut', `${head}.${letter}.${signature.slice(0, 21)}.${name}`],
    ['a signature that is longer', `${head}.${letter}.${signature}A.${name}`],
    ['a guess', `${head}.${letter}.${'A'.repeat(22)}.${name}`],
    ['octets behind', `${token}\n`],
    ['octets before', ` ${token}`],
    ['a name that cannot be decoded', `${head}.${letter}.${signature}.%ff`],
    ['a name without end', `${head}.${letter}.${signature}.${'a'.repeat(70_000)}`],
    ['another Call-ID', token, secret, '3848276298220188511@10.92.240.132'],
    ['no Call-ID', token, secret, ''],
    ['another secret', token, other],
    ['the secret of nobody', token, Buffer.alloc(32)],
  ]
  test.each(forged)('%s', (_, text, key = secret, call = callId) => {
    expect(readToken(key, text, call)).toBeNull()
  })

  test('each bit of the signature counts', () => {
    const octets = Buffer.from(signature, 'base64url')
    for (let bit = 0; bit < 128; bit++) {
      const flipped = Buffer.from(octets)
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      const text = `${head}.${letter}.${flipped.toString('base64url')}.${name}`
      expect(readToken(secret, text, callId)).toBeNull()
    }
  })

  test('a Call-ID cannot lend its beginning to the name', () => {
    const long = mintToken(secret, { ruid: 'a', callId: 'b\nc', kind: 'request' })
    expect(readToken(secret, `${long}%0Ab`, 'c')).toBeNull()
    expect(readToken(secret, `${long}b`, 'c')).toBeNull()
  })
})

test('a user who happens to be called so is nearly never taken for one', () => {
  for (const user of ['1000', 'flow', 'Flow.r', 'overflow.r.x', '']) expect(isLikeToken(user)).toBe(false)
})
