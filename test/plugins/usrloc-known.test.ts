import { beforeAll, describe, expect, test } from 'vitest'
import { isFault, scanMessage } from '../../src/sip/scan.ts'
import { startRouter, type TestRouter } from '../script/router.ts'

/** docs/decisions/0023-overload.md: whom a router that cannot keep up goes on answering. */
describe('who has a binding is known', () => {
  let router: TestRouter
  beforeAll(async () => {
    router = await startRouter(`
      loadmodule "sl.so"
      loadmodule "usrloc.so"
      loadmodule "registrar.so"
      modparam("usrloc", "db_mode", 0)
      request_route { save("location"); }`)
    await router.handle(text('REGISTER', 'bob', 'bob'), { address: '192.0.2.20' })
  })

  test.each([
    ['by its REGISTER', 'REGISTER', 'x', 'bob', '192.0.2.20', true],
    ['by the From of anything else', 'MESSAGE', 'bob', 'carol', '192.0.2.20', true],
    ['whatever its port is now', 'INVITE', 'bob', 'carol', '192.0.2.20', true],
    ['not by its name alone: REGISTER from elsewhere', 'REGISTER', 'bob', 'bob', '198.51.100.1', false],
    ['not by its name alone: From from elsewhere', 'MESSAGE', 'bob', 'carol', '198.51.100.1', false],
    ['not because somebody calls it', 'INVITE', 'carol', 'bob', '192.0.2.20', false],
    ['and its neighbour is not', 'MESSAGE', 'carol', 'bob', '192.0.2.20', false],
  ])('%s', (_, method, from, to, address, expected) => {
    const message = scanMessage(text(method, from, to))
    if (isFault(message)) throw new Error(message.reason)
    const socket = router.services.sockets.sockets[0]
    if (socket === undefined) throw new Error('no socket')
    expect(router.engine.isKnown(message, { socket, address, port: 40_000 })).toBe(expected)
  })
})

function text(method: string, from: string, to: string): string {
  return (
    `${method} sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.20;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n` +
    `From: <sip:${from}@example.com>;tag=1\r\nTo: <sip:${to}@example.com>\r\nCall-ID: 1\r\nCSeq: 1 ${method}\r\n` +
    `Contact: <sip:${to}@192.0.2.20:5060>\r\nContent-Length: 0\r\n\r\n`
  )
}
