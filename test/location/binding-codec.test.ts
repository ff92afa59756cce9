import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Binding, createBinding, remainingSeconds } from '../../src/location/binding.ts'
import {
  BindingReader,
  BindingWriter,
  noSharedTexts,
  octetsOf,
  type SharedTexts,
} from '../../src/location/binding-codec.ts'
import type { Octets } from '../../src/store/packed-heap.ts'
import { anyBinding, fewSharedTexts, hash, hashText, times } from './any-binding.ts'

function roundTrip(bindings: readonly Binding[], shared: SharedTexts, shift = 0, offset = 3): Binding[] {
  const writer = new BindingWriter(shared)
  const length = writer.begin(bindings, hash, shift)
  const bytes = Buffer.alloc(offset + length + 5, 0xff) as Buffer as Octets
  writer.finish(bytes, offset)
  expect(bytes.subarray(offset + length)).toEqual(Buffer.alloc(5, 0xff))
  return new BindingReader(shared).read(bytes, offset, offset + length, 'aor', hash, shift)
}

describe('what is read is what was written', () => {
  test.each([
    ['with shared texts', fewSharedTexts()],
    ['by itself', noSharedTexts],
  ])('%s', (_name, shared) => {
    fc.assert(
      fc.property(fc.array(anyBinding, { maxLength: 6 }), times, (bindings, shift) => {
        expect(roundTrip(bindings, shared, shift)).toEqual(bindings)
      }),
    )
  })

  test('on a clock of another epoch, its times are that clock\u2019s', () => {
    const writer = new BindingWriter(noSharedTexts)
    const binding = createBinding({
      aor: 'aor',
      ruid: 'r',
      contact: 'c',
      expiresAt: 5_000,
      modifiedAt: 1_000,
    })
    const bytes = Buffer.alloc(writer.begin([binding], hash, 1_000_000)) as Buffer as Octets
    writer.finish(bytes, 0)
    const [back] = new BindingReader(noSharedTexts).read(bytes, 0, bytes.length, 'aor', hash, 1_004_000)
    expect(back).toMatchObject({ expiresAt: 1_000, modifiedAt: -3_000 })
  })

  test('what is left of a lifetime in the same millisecond is what was granted', () => {
    for (const now of [1_000, 1_000.4, 1_000.6, 1_000.999]) {
      const times = { modifiedAt: now, expiresAt: now + 3_600_000 }
      const binding = createBinding({ aor: 'aor', ruid: 'r', contact: 'c', ...times })
      const [back = binding] = roundTrip([binding], noSharedTexts, 0)
      expect(back).not.toBe(binding)
      expect(remainingSeconds(back, now), String(now)).toBe(3_600)
    }
  })
})

test('a usual binding takes some 90 octets', () => {
  const writer = new BindingWriter({ numberOf: () => 1, textOf: () => '' })
  const usual = createBinding({
    aor: 'u0000001',
    ruid: `uloc-0123456789ab-f4240-${hashText}`,
    contact: 'sip:u0000001@127.0.0.1:5070',
    callId: '12345678-000f4240@127.0.0.1',
    socket: 'udp:127.0.0.1:5060',
    userAgent: 'sipgen/1.0 (bench)',
    cseq: 1,
    expiresAt: 3_700_000,
    modifiedAt: 100_000,
  })
  expect(writer.begin([usual], hash, 0)).toBeLessThan(90)
})

test('characters beyond Latin-1 become the octets that they are on the wire', () => {
  const binding = createBinding({ aor: 'aor', ruid: 'r', contact: 'sip:\u0142@x', userAgent: '\u{1f4de}' })
  const [back] = roundTrip([binding], fewSharedTexts())
  expect(back?.contact).toBe('sip:\u00c5\u0082@x')
  expect(back?.userAgent).toBe(octetsOf('\u{1f4de}'))
})
