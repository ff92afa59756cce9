import { expect, test } from 'vitest'
import { forwardedRequest, forwardedResponse } from '../../src/proxy/forward.ts'
import { buildResponse } from '../../src/sip/build.ts'
import { createEditList, type EditList } from '../../src/sip/edit.ts'
import { HeaderId } from '../../src/sip/header-id.ts'
import type { SipMessage } from '../../src/sip/message.ts'
import { isFault, scanMessage } from '../../src/sip/scan.ts'
import type { Flow } from '../../src/transport/socket.ts'
import { createListenSocket } from '../../src/transport/sockets.ts'
import { answeredVia } from '../../src/transport/via.ts'
import { nextMessage, nextResponse } from './messages.ts'

/**
 * A message and what becomes of it, up to the octets: the difference to scan.bench.ts is the writing. Strings are put
 * into a buffer, since until then they are only promises of one.
 */
const socket = createListenSocket({ transport: 'udp', address: '127.0.0.1', port: 5060 }, 0)
const flow: Flow = { socket, address: '127.0.0.1', port: 40_000 }
const datagram = Buffer.allocUnsafeSlow(65_535)
const hop = {
  requestUri: 'sip:u@127.0.0.1:5090',
  path: [],
  via: 'Via: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKs0.0123456789abcdef.v8687b.0\r\n',
  maxBreadth: -1,
  forceRport: true,
}

function scanned(text: string): SipMessage {
  const message = scanMessage(text)
  if (isFault(message)) throw new Error(message.reason)
  return message
}

function send(text: string | null): number {
  return datagram.write(text ?? '', 0, 'latin1')
}

/** What mf_process_maxfwd_header() leaves. */
function oneHopLess(message: SipMessage): EditList {
  const edits = createEditList()
  const index = message.first(HeaderId.maxForwards)
  edits.replace(message.headerValueStart(index), message.headerValueEnd(index), '69')
  return edits
}

test('scan and write', async ({ bench }) => {
  await bench.compare(
    bench('a request as it is', () => void send(forwardedRequest(scanned(nextMessage()), flow, null, hop))),
    bench('a request with one hop less', () => {
      const message = scanned(nextMessage())
      send(forwardedRequest(message, flow, oneHopLess(message), hop))
    }),
    bench('a request that has to be recorded', () => {
      const message = scanned(nextMessage())
      const edits = oneHopLess(message)
      edits.prependHeader('Record-Route: <sip:127.0.0.1;lr>\r\n')
      send(forwardedRequest(message, flow, edits, hop))
    }),
    bench('a response', () => void send(forwardedResponse(scanned(nextResponse()), null))),
    bench('a response of our own', () => {
      const message = scanned(nextMessage())
      const topmostVia = answeredVia(message, flow, false)
      send(buildResponse(message, 200, 'OK', { toTag: 'ours', topmostVia }))
    }),
  )
  expect(send(forwardedResponse(scanned(nextResponse()), null))).toBeGreaterThan(200)
})
