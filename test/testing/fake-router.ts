import type { Server, ServerOptions } from '../../src/server.ts'
import { Received } from '../../src/testing/received.ts'
import { createSocketTable } from '../../src/transport/sockets.ts'

/** In place of the router: answers each datagram with what `react` makes of it, sent back to its source. */
export function fakeRouter(react: (received: Received) => readonly string[]) {
  return async (options: ServerOptions): Promise<Server> => {
    const transport = await options.network.open(
      options.listen ?? [],
      {
        onDatagrams(batch) {
          const flow = batch.flow(0)
          for (const text of react(new Received(batch.text(0), flow, options.clock.now(), false))) {
            transport.send(flow.socket, text, flow.address, flow.port)
          }
        },
        onSendError() {},
      },
      { receiveBufferBytes: 0 },
    )
    const sockets = createSocketTable(transport.sockets)
    return { sockets, transport, stop: () => transport.close() } as unknown as Server
  }
}

/** A response with what RFC 3261 §8.2.6.2 has it copy. */
export function reply(request: Received, status: string, headers = ''): string {
  const copied = ['Via', 'From', 'To', 'Call-ID', 'CSeq'].flatMap((name) =>
    request.headers(name).map((value) => `${name}: ${value}${name === 'To' ? ';tag=router' : ''}\r\n`),
  )
  return `SIP/2.0 ${status}\r\n${copied.join('')}${headers}Content-Length: 0\r\n\r\n`
}
