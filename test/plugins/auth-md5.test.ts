import { hash } from 'node:crypto'
import fc from 'fast-check'
import { expect, it, test } from 'vitest'
import { Md5 } from '../../plugins/auth/md5.ts'

const md5 = new Md5()

function of(...parts: string[]): string {
  md5.start()
  for (const part of parts) md5.text(part)
  md5.finish()
  return md5.digits()
}

const byNode = (text: string) => hash('md5', Buffer.from(text, 'latin1'), 'hex')

// RFC 1321 §A.5
test.each([
  ['', 'd41d8cd98f00b204e9800998ecf8427e'],
  ['abc', '900150983cd24fb0d6963f7d28e17f72'],
  [
    '12345678901234567890123456789012345678901234567890123456789012345678901234567890',
    '57edf4a22be3c955ac49da2e2107b67a',
  ],
])('of %j', (text, expected) => {
  expect(of(text)).toBe(expected)
})

const octets = fc.string({
  unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
  maxLength: 300,
})

it('law: as node:crypto says, whatever the octets, wherever they are cut', () => {
  fc.assert(
    fc.property(octets, fc.nat(300), (text, cut) => {
      const expected = byNode(text)
      md5.start()
      for (const character of text) md5.octet(character.charCodeAt(0))
      md5.finish()
      return md5.digits() === expected && of(text.slice(0, cut), text.slice(cut)) === expected
    }),
  )
})

it('every length of two blocks, where the padding goes into a block of its own and where it does not', () => {
  for (let length = 0; length <= 128; length++) {
    const text = 'x'.repeat(length)
    expect(of(text)).toBe(byNode(text))
  }
})

it('goes on with its own digits', () => {
  of('secret')
  md5.startWithDigits()
  md5.text(':nonce')
  md5.finish()
  expect(md5.digits()).toBe(byNode(`${byNode('secret')}:nonce`))
})

it('law: knows its digits in either case, and no others', () => {
  fc.assert(
    fc.property(octets, fc.nat(31), fc.integer({ min: 1, max: 15 }), (text, at, by) => {
      const digits = of(text)
      const other = ((Number.parseInt(digits.charAt(at), 16) ^ by) & 15).toString(16)
      expect(md5.hasDigits(digits)).toBe(true)
      expect(md5.hasDigits(digits.toUpperCase())).toBe(true)
      expect(md5.hasDigits(digits.slice(0, at) + other + digits.slice(at + 1))).toBe(false)
      expect(md5.hasDigits(digits.slice(1))).toBe(false)
      expect(md5.hasDigits(`${digits}0`)).toBe(false)
    }),
  )
})
