import { describe, expect, test } from 'vitest'
import { seededRandom } from '../../src/testing/random.ts'
import { branchSource } from '../../src/transaction/branch.ts'
import { branchMark, ownerOfBranch, ownerOfResponse } from '../../src/worker/mark.ts'

const response = (branch: string) =>
  `SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=${branch}\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKw1-x\r\n\r\n`

describe("the owner's mark in a branch", () => {
  test.each([0, 1, 9, 10, 63])('worker %i is recognized in its own branches', (worker) => {
    const branch = branchSource(seededRandom(1), branchMark(worker))()
    expect(branch).toMatch(/^z9hG4bKw\d+-[0-9a-f]{32}$/)
    expect(ownerOfBranch(`${branch}.digest.0`)).toBe(worker)
    expect(ownerOfResponse(response(`${branch}.digest.0`))).toBe(worker)
  })

  test.each([
    ['without workers', branchSource(seededRandom(1))()],
    ['stateless', 'z9hG4bKs0.0123456789abcdef.x'],
    ['of RFC 2543', '1'],
    ['no number', 'z9hG4bKw-0'],
    ['no end', 'z9hG4bKw1'],
    ['too long a number', 'z9hG4bKw12345-0'],
    ['letters', 'z9hG4bKwx1-0'],
    ['none', ''],
  ])('a branch %s names nobody, whatever stands below it', (_, branch) => {
    expect(ownerOfBranch(branch)).toBe(-1)
    expect(ownerOfResponse(response(branch))).toBe(-1)
  })

  test.each([
    ['a request', 'OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKw1-a\r\n\r\n'],
    ['nothing', ''],
    ['a keepalive', '\r\n\r\n'],
    ['no Via', 'SIP/2.0 200 OK\r\n\r\n'],
    ['the end of the text', 'SIP/2.0 200 OK\r\nVia: x;branch=z9hG4bKw1'],
  ])('%s names nobody', (_, text) => {
    expect(ownerOfResponse(text)).toBe(-1)
  })
})
