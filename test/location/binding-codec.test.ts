import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Binding, createBinding, type Origin, type Trust } from '../../src/location/binding.ts'
import {
  BindingReader,
  BindingWriter,
  noSharedTexts,
  octetsOf,
  type SharedTexts,
} from '../../src/location/binding-codec.ts'
import type { Octets } from '../../src/store/packed-heap.ts'

const octets = fc.string({
  unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
  maxLength: 60,
})
const hash = 0x0123abcd
const hashText = '0123abcd'
const ruids = fc.oneof(
  octets,
  fc
    .tuple(fc.integer({ min: 0 }), fc.constantFrom(hashText, 'ffffffff'))
    .map(([n, end]) => `uloc-aa-${n.toString(16)}-${end}`),
  fc.constantFrom(`-${hashText}`, `0-${hashText}`, `-00-${hashText}`, `-x-${hashText}`, `--${hashText}`),
)
const times = fc.integer({ min: -(2 ** 44), max: 2 ** 44 })
const anyBinding: fc.Arbitrary<Binding> = fc.record({
  aor: fc.constantFrom('aor'),
  ruid: ruids,
  contact: octets,
  origin: fc.constantFrom<Origin>('learned', 'delegated', 'registered', 'static'),
  trust: fc.constantFrom<Trust>('digest', 'source', 'delegate', 'script', 'operator'),
  by: fc.oneof(octets, fc.constant('aor')),
  received: octets,
  path: fc.array(octets, { maxLength: 4 }),
  socket: fc.oneof(octets, fc.constant('shared')),
  q: fc.integer({ min: -1, max: 1000 }),
  callId: fc.oneof(octets, fc.constant('c'.repeat(20_000))),
  cseq: fc.integer({ min: 0, max: 0xffffffff }),
  userAgent: fc.oneof(octets, fc.constant('shared')),
  methods: fc.integer(),
  instance: octets,
  regId: fc.integer(),
  flags: fc.integer(),
  branchFlags: fc.integer(),
  expiresAt: fc.oneof(times, fc.constant(Number.POSITIVE_INFINITY)),
  modifiedAt: times,
  isDurable: fc.boolean(),
  flow: fc.constant(null),
})

function fewSharedTexts(): SharedTexts {
  const texts = ['shared', 'uloc-aa-']
  return { numberOf: (text) => texts.indexOf(text), textOf: (number) => texts[number] ?? '' }
}

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
})

describe('a refresh in place', () => {
  function written(writer: BindingWriter, binding: Binding, shift: number): Octets {
    const bytes = Buffer.alloc(writer.begin([binding], hash, shift)) as Buffer as Octets
    writer.finish(bytes, 0)
    return bytes
  }

  test.each([
    ['with shared texts', fewSharedTexts()],
    ['by itself', noSharedTexts],
  ])('is what writing it anew makes, or is not done and leaves all as it was, %s', (_name, shared) => {
    const changes = fc.record(
      {
        callId: octets,
        cseq: fc.nat(300),
        expiresAt: times,
        modifiedAt: times,
        contact: octets,
        q: fc.nat(2),
      },
      { requiredKeys: [] },
    )
    const writer = new BindingWriter(shared)
    fc.assert(
      fc.property(anyBinding, changes, times, (before, changed, shift) => {
        const after = { ...before, ...changed }
        const old = written(writer, before, shift)
        const bytes = Buffer.from(old) as Buffer as Octets
        const isDone = writer.refresh(bytes, 0, before, after, shift)
        expect(bytes).toEqual(isDone ? written(writer, after, shift) : old)
      }),
    )
  })

  const known = createBinding({
    aor: 'aor',
    ruid: `uloc-aa-1-${hashText}`,
    contact: 'sip:a@b',
    callId: 'call-1',
    cseq: 7,
    expiresAt: 3_600_000,
  })
  const later = { ...known, callId: 'call-2', cseq: 8, modifiedAt: 60, expiresAt: 3_600_060 }

  test.each<[string, Partial<Binding>, boolean]>([
    ['the same device again', {}, true],
    ['another contact', { contact: 'sip:c@d' }, false],
    ['a Call-ID of another length', { callId: 'call-10' }, false],
    ['a Call-ID that is not Latin-1', { callId: 'call-\u0142' }, false],
    ['a CSeq that takes more octets', { cseq: 128 }, false],
    ['for ever', { expiresAt: Number.POSITIVE_INFINITY }, false],
    ['another User-Agent', { userAgent: 'x' }, false],
    ['in memory only', { isDurable: false }, false],
  ])('%s', (_what, changed, isDone) => {
    const writer = new BindingWriter(fewSharedTexts())
    const bytes = written(writer, { ...known, modifiedAt: 10 }, 1e12)
    expect(writer.refresh(bytes, 0, { ...known, modifiedAt: 10 }, { ...later, ...changed }, 1e12)).toBe(
      isDone,
    )
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
