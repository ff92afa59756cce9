import { describe, expect, it } from 'vitest'
import { relayErrors } from '../../src/proxy/relay-error.ts'
import { createTarget, type Target } from '../../src/proxy/target.ts'
import { createEditList } from '../../src/sip/edit.ts'
import { caller, request, Stand } from './stand.ts'

/** Where a request goes: RFC 3261 §16.6 step 7, §18.1.1; all sockets of this router are UDP. A binding names one. */
function fromBinding(stand: Stand, uri: string): Target {
  const target = createTarget(uri)
  target.socket = stand.sockets.sockets[0] ?? null
  return target
}

describe('a target that names a transport that no socket of ours has', () => {
  it.each([
    ['sip:bob@192.0.2.20;transport=tcp'],
    ['sip:bob@192.0.2.20;transport=TLS'],
    ['sip:bob@192.0.2.20;transport=ws'],
    ['sip:bob@192.0.2.20;transport=sctp'],
    ['sips:bob@192.0.2.20'],
  ])('%s is not sent to over UDP, not even if the binding came in on a socket of ours', (uri) => {
    const stand = new Stand()
    const relayed = stand.relayTo([fromBinding(stand, uri)])
    stand.receive(request())
    expect(relayed.result).toBe(relayErrors.noSocket)
    expect(stand.take()).toEqual([`100 ${caller}`, `500 ${caller}`])
    expect(stand.log.lines.some(({ level }) => level === 'info')).toBe(true)
  })

  it('is told so in the answer', () => {
    const stand = new Stand()
    stand.relayTo(['sip:bob@192.0.2.20;transport=tcp'])
    stand.receive(request())
    expect(stand.sent.at(-1)?.message.reasonPhrase).toBe(
      'No Socket for That Transport or Address Family (7/TM)',
    )
  })

  it('fails statelessly as well', () => {
    const stand = new Stand()
    let result = 0
    stand.script = (message, flow) => {
      const target = fromBinding(stand, 'sip:bob@192.0.2.20;transport=tcp')
      result = stand.proxy.stateless.forwardRequest(message, flow, target, createEditList())
    }
    stand.receive(request({ method: 'MESSAGE' }))
    expect(result).toBe(relayErrors.noSocket)
    expect(stand.take()).toEqual([])
  })
})
