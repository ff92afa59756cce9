import { parseUri, type RouteContext } from '../../src/plugin/index.ts'
import { isPrivateAddress } from './addresses.ts'
import { correctedContactUri } from './contact.ts'
import { sdpAddresses } from './sdp.ts'

/** nat_uac_test(): signs that whoever sent this message sits behind a NAT. Each bit is one sign. */
export const natSign = {
  /** The Contact's host is private. */
  contactPrivate: 1,
  /** The topmost Via names another address than the packet's. */
  viaDiffers: 2,
  /** The topmost Via names a private address. */
  viaPrivate: 4,
  /** The SDP's c= is private. */
  sdpPrivate: 8,
  /** The packet's port is not that of the Via. */
  portDiffers: 16,
  /** The packet's own address is private. */
  sourcePrivate: 32,
  /** It came over WebSocket. */
  webSocket: 64,
  /** The Contact's port is not the packet's. */
  contactPortDiffers: 128,
  /** The SDP's c= is not the packet's address. */
  sdpDiffers: 256,
  /** The request was not sent to where its Request-URI points. */
  destinationDiffers: 512,
} as const

/** True if any of the signs in `mask` is there. */
export function showsNat(context: RouteContext, mask: number): boolean {
  const { flow, message } = context
  if ((mask & natSign.contactPrivate) !== 0) {
    const host = correctedContactUri(context)?.host
    if (host !== undefined && isPrivateAddress(host)) return true
  }
  const via = message.topmostVia
  if ((mask & natSign.viaDiffers) !== 0 && via !== null && via.host !== flow.address) return true
  if ((mask & natSign.viaPrivate) !== 0 && via !== null && isPrivateAddress(via.host)) return true
  if (
    (mask & natSign.portDiffers) !== 0 &&
    via !== null &&
    (via.port === 0 ? 5060 : via.port) !== flow.port
  ) {
    return true
  }
  if ((mask & natSign.sourcePrivate) !== 0 && isPrivateAddress(flow.address)) return true
  if (
    (mask & natSign.webSocket) !== 0 &&
    (flow.socket.transport === 'ws' || flow.socket.transport === 'wss')
  ) {
    return true
  }
  if ((mask & natSign.contactPortDiffers) !== 0) {
    const contact = correctedContactUri(context)
    if (contact !== null && (contact.port === 0 ? 5060 : contact.port) !== flow.port) return true
  }
  if ((mask & (natSign.sdpPrivate | natSign.sdpDiffers)) !== 0 && sdpShowsNat(context, mask)) return true
  return (mask & natSign.destinationDiffers) !== 0 && destinationDiffers(context)
}

function sdpShowsNat({ flow, message }: RouteContext, mask: number): boolean {
  if (message.body === '') return false
  for (const { line, address } of sdpAddresses(message.body)) {
    if (line !== 'c') continue
    if ((mask & natSign.sdpPrivate) !== 0 && isPrivateAddress(address)) return true
    if ((mask & natSign.sdpDiffers) !== 0 && address !== flow.address) return true
  }
  return false
}

function destinationDiffers({ flow, message }: RouteContext): boolean {
  if (!message.isRequest) return false
  const uri = parseUri(message.requestUri)
  if (uri === null) return false
  return uri.host !== flow.socket.address || (uri.port === 0 ? 5060 : uri.port) !== flow.socket.port
}
