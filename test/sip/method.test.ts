import { expect, it, test } from 'vitest'
import { Method, methodAt, methodMask, methodSlot } from '../../src/sip/method.ts'

const names = Object.keys(Method).filter((name) => name !== 'other')

test('no two methods share a slot: the second would be a slice of its datagram for ever', () => {
  expect(new Set(names.map((name) => methodSlot(name.length, name.charCodeAt(0)))).size).toBe(names.length)
})

it.each([...names, 'FOO', 'invite', 'INVITES', 'I', ''])('%j is read where it stands', (name) => {
  expect(methodAt(`<${name}>`, 1, 1 + name.length)).toBe(name)
})

test('a method that we do not know is other', () => {
  expect([methodMask('INVITE'), methodMask('FOO'), methodMask('constructor')]).toEqual([
    Method.INVITE,
    Method.other,
    Method.other,
  ])
})
