import type { SipMessage } from '../sip/message.ts'
import type { Flow } from './socket.ts'

/**
 * received and rport: RFC 3261 §18.2.1, RFC 3581 §4. The received message never changes; these functions say
 * how its topmost Via must read when it is forwarded or answered, and where the answer goes.
 */

/**
 * The topmost Via value with `received` and `rport` filled in. `force` is the script's force_rport(): rport is
 * added even if the sender did not ask (measured on Kamailio 5.6.3: `received` then stands even if equal).
 */
export declare function correctedVia(message: SipMessage, flow: Flow, force: boolean): string

/**
 * Where the response to a request goes: always the packet's source address; its source port if rport was asked
 * for or forced, else the port of the Via (RFC 3581 §4, RFC 3261 §18.2.2). `maddr` is not believed.
 */
export declare function responseDestination(
  message: SipMessage,
  flow: Flow,
  force: boolean,
): { address: string; port: number }
