import { expect, test } from 'vitest'
import type { SipMessage } from '../../src/sip/message.ts'
import { isFault, scanMessage } from '../../src/sip/scan.ts'
import { nextInvite, nextMessage, nextResponse } from './messages.ts'

/** What every datagram costs before anybody has asked it anything: the table of its headers, and all checks. */
function scanned(text: string): SipMessage {
  const message = scanMessage(text)
  if (isFault(message) || message.fault !== null) throw new Error('a fault')
  return message
}

test('scanMessage', async ({ bench }) => {
  await bench.compare(
    bench('MESSAGE', () => void scanned(nextMessage())),
    bench('200 with two Vias', () => void scanned(nextResponse())),
    bench('INVITE with a session description', () => void scanned(nextInvite())),
    bench('MESSAGE, and what identifies it', () => {
      const { topmostVia, callId, cseq, fromTag, toTag } = scanned(nextMessage())
      if (topmostVia === null || cseq === null || callId === '' || fromTag === toTag)
        throw new Error('nothing')
    }),
  )
  expect(scanned(nextMessage()).headerCount).toBe(10)
})
