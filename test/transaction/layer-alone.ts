import type { SipMessage } from '../../src/sip/message.ts'
import { isFault, scanMessage } from '../../src/sip/scan.ts'
import { type SimulatedClock, simulatedClock } from '../../src/testing/clock.ts'
import { seededRandom } from '../../src/testing/random.ts'
import { createTransactionLayer } from '../../src/transaction/layer.ts'
import type {
  ClientTransactionUser,
  ServerTransactionUser,
  TransactionLayer,
} from '../../src/transaction/transaction.ts'
import type { Flow, TransportName } from '../../src/transport/socket.ts'
import { createListenSocket } from '../../src/transport/sockets.ts'

/** A transaction layer alone on a simulated clock, with everything it sends and says on record. */
export interface Bench {
  readonly clock: SimulatedClock
  readonly layer: TransactionLayer
  /** `500 INVITE`, `0 486`: when, and the method or the status. */
  readonly sent: string[]
  readonly texts: string[]
  /** `180`, `timeout`, `transport ECONNREFUSED`, `cancel`, `done`. */
  readonly heard: string[]
  readonly clientUser: ClientTransactionUser
  readonly serverUser: ServerTransactionUser
}

export function bench(options: { transactionsMax?: number } = {}): Bench {
  const clock = simulatedClock()
  const sent: string[] = []
  const texts: string[] = []
  const heard: string[] = []
  const layer = createTransactionLayer({
    clock,
    random: seededRandom(7),
    send(_socket, text, address, port) {
      const words = text.split(' ')
      const what = words[0] === 'SIP/2.0' ? words[1] : words[0]
      const where = address === peer.address && port === peer.port ? '' : ` to ${address}:${port}`
      sent.push(`${clock.now()} ${what}${where}`)
      texts.push(text)
    },
    ...options,
  })
  return {
    clock,
    layer,
    sent,
    texts,
    heard,
    clientUser: {
      onResponse: (response) => heard.push(`${response.statusCode}`),
      onTimeout: () => heard.push('timeout'),
      onTransportError: (code) => heard.push(`transport ${code}`),
    },
    serverUser: {
      onTerminated: (reason) => heard.push(reason),
    },
  }
}

const socket = createListenSocket({ transport: 'udp', address: '192.0.2.1', port: 5060 }, 0)

export const peer: Flow = { socket, address: '192.0.2.9', port: 5060 }

/** The same peer over another transport. */
export function peerOver(transport: TransportName): Flow {
  return { ...peer, socket: createListenSocket({ transport, address: '192.0.2.1', port: 5060 }, 1) }
}

export interface RequestParts {
  branch?: string
  sentBy?: string
  via?: string
  uri?: string
  callId?: string
  cseq?: number
  fromTag?: string
  toTag?: string
}

export function request(method: string, parts: RequestParts = {}): SipMessage {
  return scanned(requestText(method, parts))
}

export function requestText(method: string, parts: RequestParts = {}): string {
  const { branch = 'z9hG4bKpeer', sentBy = '192.0.2.9:5060', uri = 'sip:bob@example.com' } = parts
  const { callId = 'call-1', cseq = 1, fromTag = 'alice', toTag = '' } = parts
  return [
    `${method} ${uri} SIP/2.0`,
    `Via: ${parts.via ?? `SIP/2.0/UDP ${sentBy};branch=${branch}`}`,
    'Max-Forwards: 70',
    `From: <sip:alice@example.com>;tag=${fromTag}`,
    `To: <sip:bob@example.com>${toTag === '' ? '' : `;tag=${toTag}`}`,
    `Call-ID: ${callId}`,
    `CSeq: ${cseq} ${method}`,
    'Content-Length: 0',
    '',
    '',
  ].join('\r\n')
}

/** A response to a request of ours or of a peer. */
export function responseText(to: SipMessage, statusCode: number, method = to.method, toTag = 'bob'): string {
  const via = to.text.slice(to.topmostVia?.start, to.topmostVia?.end)
  return [
    `SIP/2.0 ${statusCode} Whatever`,
    `Via: ${via}`,
    `From: <sip:alice@example.com>;tag=${to.fromTag}`,
    `To: <sip:bob@example.com>;tag=${toTag}`,
    `Call-ID: ${to.callId}`,
    `CSeq: ${to.cseq?.number} ${method}`,
    'Content-Length: 0',
    '',
    '',
  ].join('\r\n')
}

export function response(to: SipMessage, statusCode: number, method = to.method): SipMessage {
  return scanned(responseText(to, statusCode, method))
}

export function scanned(text: string): SipMessage {
  const message = scanMessage(text)
  if (isFault(message)) throw new Error(message.reason)
  if (message.fault) throw new Error(message.fault.reason)
  return message
}
