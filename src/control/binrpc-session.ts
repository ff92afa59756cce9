import { limits } from '../limits.ts'
import type { Clock } from '../runtime/clock.ts'
import { answerPacket, type BinrpcRequest, faultPacket, readPacket } from './binrpc.ts'
import type { ServeConnection } from './control-server.ts'
import { CommandRefused } from './fault.ts'
import { type Responder, wholeAnswer } from './methods.ts'
import { chunksOf, Deadline, hangUp, sinkOf } from './session.ts'

/** A connection of kamcmd: packets in, packets out, one at a time. An answer is one packet, and so has a bound. */
export function serveBinrpc(clock: Clock): ServeConnection {
  return async (socket, responder, onBroken) => {
    const deadline = new Deadline(socket, clock)
    const sink = sinkOf<Buffer>(socket, clock)
    let held: Buffer = Buffer.alloc(0)
    socket.on('error', () => {})
    try {
      deadline.set(limits.controlIdleMilliseconds)
      for await (const chunk of chunksOf(socket)) {
        const wasEmpty = held.length === 0
        held = Buffer.concat([held, chunk as Buffer])
        for (let packet = readPacket(held); packet.kind !== 'more'; packet = readPacket(held)) {
          if (packet.kind === 'broken') {
            socket.write(faultPacket(Buffer.alloc(1), 400, `Invalid request: ${packet.why}`))
            return await hangUp(socket, deadline)
          }
          deadline.none()
          await sink(await answer(packet.request, responder))
          held = held.subarray(packet.octets)
        }
        if (held.length === 0) deadline.set(limits.controlIdleMilliseconds)
        else if (wasEmpty || deadline.isNone) deadline.set(limits.controlRequestMilliseconds)
      }
      socket.end()
    } catch (error) {
      if (!socket.destroyed) onBroken(error)
      socket.destroy()
    } finally {
      deadline.none()
    }
  }
}

async function answer(request: BinrpcRequest, responder: Responder): Promise<Buffer> {
  const { cookie, method, params } = request
  try {
    return answerPacket(cookie, JSON.parse(await wholeAnswer(responder, method, params)))
  } catch (error) {
    if (!(error instanceof CommandRefused)) throw error
    return faultPacket(cookie, error.fault.code, error.fault.message)
  }
}
