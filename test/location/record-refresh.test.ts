import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Binding, createBinding } from '../../src/location/binding.ts'
import {
  BindingReader,
  BindingWriter,
  noSharedTexts,
  type SharedTexts,
} from '../../src/location/binding-codec.ts'
import { RecordRefresh } from '../../src/location/record-refresh.ts'
import type { Octets } from '../../src/store/packed-heap.ts'
import { anyBinding, fewSharedTexts, hash, hashText, octets, times } from './any-binding.ts'

function written(bindings: readonly Binding[], shared: SharedTexts, shift: number): Octets {
  const writer = new BindingWriter(shared)
  const bytes = Buffer.alloc(writer.begin(bindings, hash, shift)) as Buffer as Octets
  writer.finish(bytes, 0)
  return bytes
}

function read(bytes: Octets, shared: SharedTexts, shift: number): Binding[] {
  return new BindingReader(shared).read(bytes, 0, bytes.length, 'aor', hash, shift)
}

/** The slow, obvious way: does it differ in Call-ID, CSeq and times alone, with a Call-ID of the same length? */
function isRefresh(before: Binding, after: Binding): boolean {
  const { callId, cseq, modifiedAt, expiresAt } = before
  const sameEnd = Number.isFinite(expiresAt) === Number.isFinite(after.expiresAt)
  const same = JSON.stringify(before) === JSON.stringify({ ...after, callId, cseq, modifiedAt, expiresAt })
  return same && sameEnd && callId.length === after.callId.length
}

const changes = fc.record(
  {
    callId: octets,
    cseq: fc.nat(300),
    expiresAt: times,
    modifiedAt: times,
    contact: octets,
    q: fc.integer({ min: -1, max: 2 }),
    by: fc.constantFrom('aor', '', 'other'),
    socket: fc.constantFrom('shared', '', 'other'),
    userAgent: fc.constantFrom('shared', '', 'other'),
    path: fc.array(octets, { maxLength: 2 }),
    instance: octets,
    regId: fc.nat(2),
    branchFlags: fc.nat(2),
    isDurable: fc.boolean(),
  },
  { requiredKeys: [] },
)

describe.each([
  ['with shared texts', fewSharedTexts()],
  ['by itself', noSharedTexts],
])('a record %s', (_name, shared) => {
  const record = new RecordRefresh(shared)

  test('repeats a binding if all of it but Call-ID, CSeq and times is the same', () => {
    const times = { min: 0, max: 2 ** 40 }
    const later = fc.record(
      { cseq: fc.nat(300), expiresAt: fc.integer(times), modifiedAt: fc.integer(times) },
      { requiredKeys: [] },
    )
    fc.assert(
      fc.property(anyBinding, fc.oneof(later, changes), (before, changed) => {
        const after = { ...before, ...changed }
        const bytes = written([before], shared, 0)
        expect(record.repeats(bytes, 0, after)).toBe(isRefresh(before, after))
        if (!isRefresh(before, after)) return
        expect(record.isNamed(bytes, before.ruid, hash)).toBe(true)
        expect(record.isNamed(bytes, `${before.ruid}x`, hash)).toBe(false)
        expect(record.isOlderThan(after)).toBe(before.callId !== after.callId || before.cseq < after.cseq)
        const end = Math.min(before.expiresAt, 2 ** 50)
        expect(record.hasExpired(end, 0)).toBe(end < 2 ** 50)
        expect(record.hasExpired(end - 1, 0)).toBe(false)
      }),
    )
  })

  test('is read as what was written over it, or is left as it was', () => {
    fc.assert(
      fc.property(anyBinding, changes, times, fc.boolean(), (before, changed, shift, isUsual) => {
        const { callId = '', cseq = 0, modifiedAt = 0, expiresAt = 0 } = changed
        const later = { callId: callId.padEnd(before.callId.length).slice(0, before.callId.length), cseq }
        const after = { ...before, ...(isUsual ? { ...later, modifiedAt, expiresAt } : changed) }
        const old = written([before], shared, shift)
        const bytes = Buffer.from(old) as Buffer as Octets
        const isDone = record.repeats(bytes, 0, after) && record.write(bytes, after, shift)
        if (isDone) expect(read(bytes, shared, shift)).toEqual([after])
        else expect(bytes).toEqual(old)
      }),
    )
  })

  test('of several bindings repeats none', () => {
    fc.assert(
      fc.property(anyBinding, (binding) => {
        expect(record.repeats(written([binding, binding], shared, 0), 0, binding)).toBe(false)
        expect(record.repeats(written([], shared, 0), 0, binding)).toBe(false)
      }),
    )
  })
})

const known = createBinding({
  aor: 'aor',
  ruid: `uloc-aa-1-${hashText}`,
  contact: 'sip:a@b',
  callId: 'call-1',
  cseq: 7,
  modifiedAt: 10,
  expiresAt: 3_600_000,
})
const later = { ...known, callId: 'call-2', cseq: 8, modifiedAt: 60, expiresAt: 3_600_060 }

test.each<[string, Partial<Binding>, boolean]>([
  ['the same device again', {}, true],
  ['another contact', { contact: 'sip:c@d' }, false],
  ['a Call-ID of another length', { callId: 'call-10' }, false],
  ['a Call-ID that is not Latin-1', { callId: 'call-\u0142' }, false],
  ['a CSeq that takes more octets', { cseq: 128 }, false],
  ['a lifetime that takes more octets', { expiresAt: 2 ** 45 }, false],
  ['for ever', { expiresAt: Number.POSITIVE_INFINITY }, false],
  ['another User-Agent', { userAgent: 'x' }, false],
  ['in memory only', { isDurable: false }, false],
])('%s', (_what, changed, isDone) => {
  const shared = fewSharedTexts()
  const record = new RecordRefresh(shared)
  const bytes = written([known], shared, 1e12)
  const after = { ...later, ...changed }
  expect(record.repeats(bytes, 0, after) && record.write(bytes, after, 1e12)).toBe(isDone)
})

test('a number that needs fewer octets is written in as many as there are', () => {
  const record = new RecordRefresh(noSharedTexts)
  const bytes = written([{ ...known, cseq: 70_000 }], noSharedTexts, 0)
  expect(record.repeats(bytes, 0, later) && record.write(bytes, later, 0)).toBe(true)
  expect(read(bytes, noSharedTexts, 0)).toEqual([later])
})
