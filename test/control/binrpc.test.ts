import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { answerPacket, faultPacket, readPacket } from '../../src/control/binrpc.ts'

/** Octets as kamcmd and Kamailio 5.6.3 exchanged them. */
const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex')

describe('requests of kamcmd', () => {
  test.each([
    ['core.version', 'a1 03 0f 75 0c fe 40 91 0d 63 6f 72 65 2e 76 65 72 73 69 6f 6e 00', 'core.version', []],
    [
      'htable.seti t a 5',
      'a1 03 16 49 2b 05 e1 91 0c 68 74 61 62 6c 65 2e 73 65 74 69 00 21 74 00 21 61 00 10 05',
      'htable.seti',
      ['t', 'a', 5],
    ],
    [
      'core.echo a 1 2.5 s:3',
      'a1 03 17 5d 8f 46 40 91 0a 63 6f 72 65 2e 65 63 68 6f 00 21 61 00 10 01 22 09 c4 21 33 00',
      'core.echo',
      ['a', 1, 2.5, '3'],
    ],
  ])('%s', (_, text, method, params) => {
    const octets = hex(text)
    const packet = readPacket(Buffer.concat([octets, Buffer.from([0xa1])]))
    expect(packet).toMatchObject({ kind: 'request', octets: octets.length, request: { method, params } })
    for (let cut = 0; cut < octets.length; cut++) {
      expect(readPacket(octets.subarray(0, cut))).toEqual({ kind: 'more' })
    }
  })

  test.each([
    ['another protocol', '7b 22 6a'],
    ['an answer', 'a1 13 02 66 2b 49 1d 10 02'],
    ['a length of 16 MiB', 'a1 0b ff ff ff 00 00 00 00'],
    ['a text longer than its packet', 'a1 03 02 00 00 00 00 91 0d'],
    ['a struct', 'a1 03 01 00 00 00 00 03'],
    ['no method', 'a1 03 02 00 00 00 00 10 05'],
  ])('%s is refused', (_, text) => {
    expect(readPacket(hex(text))).toMatchObject({ kind: 'broken' })
  })

  test('no octets throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (octets) => {
        expect(() => readPacket(Buffer.concat([Buffer.from([0xa1, 0x03]), octets]))).not.toThrow()
      }),
    )
  })
})

describe('answers for kamcmd', () => {
  test.each([
    ['a number', 2, 'a1 13 02 66 2b 49 1d 10 02'],
    [
      'a struct',
      { now: 'x', up_since: 'y', uptime: 400 },
      'a1 13 1d 66 2b 49 1d 03 45 6e 6f 77 00 21 78 00 95 09 75 70 5f 73 69 6e 63 65 00 21 79 00 75 75 70 74 69 6d 65 00 20 01 90 83',
    ],
    [
      'rows are values one after another, those of a member a struct without names',
      [{ entry: 13, slot: [{ name: 'a', value: 5 }] }],
      'a1 13 24 66 2b 49 1d 03 65 65 6e 74 72 79 00 10 0d 55 73 6c 6f 74 00 03 03 55 6e 61 6d 65 00 21 61 00 65 76 61 6c 75 65 00 10 05 83 83 83',
    ],
    ['zero, and less', [0, -5], 'a1 13 06 66 2b 49 1d 00 40 ff ff ff fb'],
    ['thousandths', 2.5, 'a1 13 03 66 2b 49 1d 22 09 c4'],
    ['what has no room is text', 4294967295, 'a1 13 0d 66 2b 49 1d 91 0b 34 32 39 34 39 36 37 32 39 35 00'],
  ])('%s', (_, result, expected) => {
    const packet = answerPacket(hex('66 2b 49 1d'), result)
    expect(packet.subarray(3)).toEqual(hex(expected).subarray(3))
    expect(packet[2]).toBe(packet.length - 7)
  })

  test('a fault', () => {
    expect(faultPacket(hex('3f 05 7d b3'), 500, 'command nope not found')).toEqual(
      hex(
        'a1 33 1c 3f 05 7d b3 20 01 f4 91 17 63 6f 6d 6d 61 6e 64 20 6e 6f 70 65 20 6e 6f 74 20 66 6f 75 6e 64 00',
      ),
    )
  })
})
