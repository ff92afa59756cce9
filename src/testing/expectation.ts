import type { Received } from './received.ts'

/** What a step of a ladder waits for, and what it overlooks meanwhile. */
export interface ReceiveOptions {
  /** Milliseconds of the simulated clock to wait at most. Default 2000. */
  readonly within?: number
  /** True: a retransmission is what we wait for. */
  readonly again?: boolean
  /** Of a response: the method in CSeq. */
  readonly method?: string
}

/** A ladder that does not come out as written. */
export class LadderMismatch extends Error {
  override readonly name = 'LadderMismatch'
}

/** Retransmissions, 100s and ACKs come as they please: a test that does not name them does not mean them. */
export function isIgnored(received: Received, wanted: string, options: ReceiveOptions): boolean {
  if (received.isRetransmission !== (options.again ?? false)) return true
  if (received.statusCode === 100) return !/^1(00|xx)/.test(wanted)
  return received.method === 'ACK' && received.isRequest && !wanted.startsWith('ACK')
}

/** `INVITE`, `INVITE sip:bob@192.0.2.12`, `200`, `486 Busy Here`, `4xx`. */
export function isWhat(received: Received, wanted: string, { method }: ReceiveOptions): boolean {
  if (method !== undefined && received.method !== method) return false
  if (received.isRequest)
    return wanted === received.method || wanted === `${received.method} ${received.requestUri}`
  const status = String(received.statusCode)
  return wanted === status || wanted === `${status} ${received.reasonPhrase}` || wanted === `${status[0]}xx`
}

export function describe(received: Received): string {
  return received.isRequest ? received.startLine : `${received.startLine} (${received.method})`
}
