import { hostForUri } from '../sip/uri.ts'
import type { ListenSocket, SocketTable } from '../transport/socket.ts'

/**
 * Record-Route values (RFC 3261 §16.6 step 4) that name the socket a request leaves from, which is not known when
 * the script calls record_route(): each branch may leave from another. The line is written with a mark in place of
 * the address, and each branch puts in its own. If it leaves where it came in one value is enough; otherwise there
 * are two, the leaving side's on top, each with `r2=on`, so that both sides come back to the socket they know.
 *
 * The mark is a character that no datagram can contain: messages have one character per octet.
 */
const mark = '\ue000'

/** What stands where the address will be, for a request that came in on `arrival`. */
export function markedAddress(arrival: ListenSocket): string {
  return `${mark}${arrival.index}${mark}`
}

/** `192.0.2.1:5070;transport=tcp`; port 5060 and UDP are left out. */
export function recordRouteAddress(socket: ListenSocket): string {
  const port = socket.advertisedPort === 5060 ? '' : `:${socket.advertisedPort}`
  const transport = socket.transport === 'udp' ? '' : `;transport=${socket.transport}`
  return `${hostForUri(socket.advertisedAddress)}${port}${transport}`
}

/** The message as it leaves from `departure`. Costs nothing if nothing is marked: a one-byte string has no such character. */
export function resolveRecordRoutes(text: string, departure: ListenSocket, sockets: SocketTable): string {
  let from = text.indexOf(mark)
  if (from < 0) return text
  let out = ''
  let position = 0
  while (from >= 0) {
    const to = text.indexOf(mark, from + 1)
    const lineStart = text.lastIndexOf('\n', from) + 1
    const lineEnd = text.indexOf('\n', from) + 1
    if (to < 0 || lineEnd === 0 || to > lineEnd) break
    const arrival = sockets.sockets[Number(text.slice(from + 1, to))] ?? departure
    const before = text.slice(lineStart, from)
    const after = text.slice(to + 1, lineEnd)
    out += text.slice(position, lineStart)
    if (arrival === departure) out += before + recordRouteAddress(departure) + after
    else {
      for (const side of [departure, arrival]) out += `${before}${recordRouteAddress(side)};r2=on${after}`
    }
    position = lineEnd
    from = text.indexOf(mark, position)
  }
  return out + text.slice(position)
}
