import { expect, test } from 'vitest'
import { KeyedDigest } from '../../src/runtime/keyed-digest.ts'

const digest = new KeyedDigest('secret')

test('the same text under the same secret gives the same code, in digits or in octets', () => {
  expect(digest.hex('text')).toMatch(/^[0-9a-f]{64}$/)
  expect(new KeyedDigest(Buffer.from('secret')).octets('text').toString('hex')).toBe(digest.hex('text'))
})

test.each([
  ['another text', digest.hex('other')],
  ['another secret', new KeyedDigest('other').hex('text')],
  ['a secret that borrows from the text', new KeyedDigest('secrett').hex('ext')],
  [
    'an octet above 0x7F for two that encode it',
    digest.hex('\u00e9') === digest.hex('\u00c3\u00a9') ? digest.hex('text') : '',
  ],
])('%s gives another one', (_, code) => {
  expect(code).not.toBe(digest.hex('text'))
})
