import fc from 'fast-check'
import type { Binding, Origin, Trust } from '../../src/location/binding.ts'
import type { SharedTexts } from '../../src/location/binding-codec.ts'

/** Bindings with anything in them that a record may have to keep. */
export const octets = fc.string({
  unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
  maxLength: 60,
})
/** Of the address-of-record that all of them have. */
export const hash = 0x0123abcd
export const hashText = '0123abcd'
const ruids = fc.oneof(
  octets,
  fc
    .tuple(fc.integer({ min: 0 }), fc.constantFrom(hashText, 'ffffffff'))
    .map(([n, end]) => `uloc-aa-${n.toString(16)}-${end}`),
  fc.constantFrom(`-${hashText}`, `0-${hashText}`, `-00-${hashText}`, `-x-${hashText}`, `--${hashText}`),
)
export const times = fc.integer({ min: -(2 ** 44), max: 2 ** 44 })
export const anyBinding: fc.Arbitrary<Binding> = fc.record({
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
  elsewhere: fc.constant(null),
})

export function fewSharedTexts(): SharedTexts {
  const texts = ['shared', 'uloc-aa-']
  return { numberOf: (text) => texts.indexOf(text), textOf: (number) => texts[number] ?? '' }
}
