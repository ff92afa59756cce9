import { expect, test } from 'vitest'
import { branchHash, Fingerprint } from '../../src/transaction/matching.ts'
import { type RequestParts, request } from './layer-alone.ts'

const fingerprint = new Fingerprint(0x1234567, -0x7654321)
const of = (method: string, parts: RequestParts = {}, asMethod = method) => {
  const message = request(method, parts)
  return `${fingerprint.hashOf(message)} ${fingerprint.checkOf(message, asMethod)}`
}

test('ten thousand requests that look alike have ten thousand fingerprints, spread over all buckets', () => {
  const buckets = new Uint32Array(1_024)
  const seen = new Set<string>()
  for (let i = 0; i < 10_000; i++) {
    const digits = i.toString(16).padStart(8, '0')
    const message = request('MESSAGE', { branch: `z9hG4bK-${digits}-0`, callId: `${digits}@192.0.2.9` })
    const hash = fingerprint.hashOf(message)
    const bucket = hash & 1_023
    buckets[bucket] = (buckets[bucket] ?? 0) + 1
    seen.add(`${hash} ${fingerprint.checkOf(message, 'MESSAGE')}`)
  }
  expect(seen.size).toBe(10_000)
  // Ten in each if they were even; chance alone gives some buckets twice that.
  expect(Math.max(...buckets)).toBeLessThan(35)
})

test.each<[string, RequestParts]>([
  ['branch', { branch: 'z9hG4bKother' }],
  ['Call-ID', { callId: 'call-2' }],
  ['CSeq number', { cseq: 2 }],
  ['sent-by host', { sentBy: '192.0.2.10:5060' }],
  ['sent-by port', { sentBy: '192.0.2.9:5061' }],
])('another %s is another fingerprint', (_, parts) => {
  expect(of('MESSAGE', parts)).not.toBe(of('MESSAGE'))
  expect(of('MESSAGE', parts)).toBe(of('MESSAGE', parts))
})

test('a CANCEL and an ACK find their INVITE by its hash, and are told from it by the check', () => {
  const invite = of('INVITE')
  for (const method of ['CANCEL', 'ACK']) {
    expect(of(method, {}, 'INVITE')).toBe(invite)
    expect(of(method)).not.toBe(invite)
    expect(of(method).split(' ')[0]).toBe(invite.split(' ')[0])
  }
})

test('another secret makes other fingerprints of the same requests', () => {
  const other = new Fingerprint(0x1234568, -0x7654321)
  const message = request('MESSAGE')
  expect(other.hashOf(message)).not.toBe(fingerprint.hashOf(message))
})

test('dialogs, branches and requests do not get into each other', () => {
  const message = request('INVITE', { fromTag: 'a' })
  const first = fingerprint.hashOf(message)
  fingerprint.readDialog(message)
  const dialog = [fingerprint.hash, fingerprint.check]
  fingerprint.readBranch('z9hG4bKpeer')
  const branch = [fingerprint.hash, fingerprint.check]
  expect(dialog).not.toEqual(branch)
  expect(fingerprint.hashOf(message)).toBe(first)
  fingerprint.readDialog(request('ACK', { fromTag: 'b' }))
  expect([fingerprint.hash, fingerprint.check]).not.toEqual(dialog)
  fingerprint.readDialog(request('ACK', { fromTag: 'a', branch: 'z9hG4bKack', toTag: 'bob' }))
  expect([fingerprint.hash, fingerprint.check]).toEqual(dialog)
})

test('branches that differ in their first random digits are spread', () => {
  const hashes = new Set<number>()
  for (let i = 0; i < 1_000; i++)
    hashes.add(branchHash(`z9hG4bK${(i * 7_919).toString(16).padStart(12, '0')}.x.0`))
  expect(hashes.size).toBeGreaterThan(990)
})
