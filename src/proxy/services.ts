import type { Clock } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import type { SipMessage } from '../sip/message.ts'
import type { SendDatagram, TransactionLayer } from '../transaction/transaction.ts'
import type { ListenSocket, SocketTable } from '../transport/socket.ts'
import type { Network } from '../transport/transport.ts'
import type { LocalResponses } from './local-response.ts'
import type { BranchEnd, ProxyHandlers, ProxySettings, ProxyStatistics, ResponseContext } from './proxy.ts'

/** What response contexts and the stateless proxy share: one object, made by core.ts. */
export interface ProxyServices {
  readonly transactions: TransactionLayer
  readonly sockets: SocketTable
  readonly send: SendDatagram
  readonly resolve: Network['resolve']
  readonly clock: Clock
  readonly log: Log
  readonly responses: LocalResponses
  readonly statistics: ProxyStatistics
  readonly settings: ProxySettings
  /** Set once the script is linked; read at every call, since a reload may change it. */
  readonly handlers: ProxyHandlers
  /** Our Via line of that socket, up to and with `branch=`. */
  viaPrefix(socket: ListenSocket): string
  /** The INVITE that a CANCEL means, null if there is none. */
  findCancelled(cancel: SipMessage): ResponseContext | null
  /** Somebody hears of the ends of branches. */
  readonly isWatched: boolean
  branchEnded(end: BranchEnd): void
  contextEnded(context: ResponseContext): void
}
