import { bodyParts, HeaderId, parseContentType, type RouteContext } from '../../src/plugin/index.ts'
import { hasMedia, type SdpAddress, sdpAddresses } from './sdp.ts'

/**
 * fix_nated_sdp(): the session description says where the packet came from, for media that follow signalling. What it
 * does to which body was measured on Kamailio 5.6.3.
 */
export const sdpFix = {
  /** a=direction:active */
  direction: 1,
  /** c= of session and media */
  media: 2,
  /** a=nortpproxy:yes */
  mark: 4,
  /** o= */
  origin: 8,
} as const

export interface SdpFixSettings {
  /** The line that marks a description as dealt with, without CRLF; '' for none. */
  readonly mark: string
  readonly keepsOldAddress: boolean
}

/** 1 if an address was rewritten, 2 if none was, -1 without a session description. */
export function fixSdp(
  context: RouteContext,
  flags: number,
  address: string,
  settings: SdpFixSettings,
): number {
  const { body } = context.message
  const place = descriptionIn(context)
  if (place === null) return -1
  const sdp = body.slice(place.start, place.end)
  const changed = sdpAddresses(sdp).filter((one) => isToBeFixed(one, flags))
  const isDirected = (flags & sdpFix.direction) !== 0 && hasMedia(sdp)
  const attributes = attributesOf(changed, isDirected, (flags & sdpFix.mark) !== 0, settings)
  const addressed = withAddress(sdp, changed, address)
  const fixed = withAttributes(isDirected ? withDirection(addressed) : addressed, attributes)
  if (fixed !== sdp) context.edits.replaceBody(body.slice(0, place.start) + fixed + body.slice(place.end))
  return changed.length > 0 ? 1 : 2
}

/** The body, or the part of it, that is a session description; a body without a type counts as one. */
function descriptionIn({ message }: RouteContext): { start: number; end: number } | null {
  const { body } = message
  if (body === '') return null
  const header = message.value(HeaderId.contentType)
  if (header === '') return { start: 0, end: body.length }
  const type = parseContentType(header)
  if (type === null) return null
  if (type.mediaType === 'application/sdp') return { start: 0, end: body.length }
  const part = bodyParts(body, type).find(({ mediaType }) => mediaType === 'application/sdp')
  return part === undefined ? null : { start: part.contentStart, end: part.contentEnd }
}

/** An address of zeros is a medium on hold (RFC 3264 §8.4) and stays. */
function isToBeFixed({ line, address }: SdpAddress, flags: number): boolean {
  if (address === '0.0.0.0' || address === '::') return false
  return (flags & (line === 'c' ? sdpFix.media : sdpFix.origin)) !== 0
}

/** The new address with its type: Kamailio leaves `IP6` before an IPv4 address. */
function withAddress(sdp: string, changed: readonly SdpAddress[], address: string): string {
  const type = address.includes(':') ? 'IP6' : 'IP4'
  let text = ''
  let from = 0
  for (const { start, end, lineStart } of changed) {
    const head = sdp.slice(lineStart, start).replace(/IP[46] $/, `${type} `)
    text += sdp.slice(from, lineStart) + head + address
    from = end
  }
  return text + sdp.slice(from)
}

/** Each medium says it; for the last one attributesOf() does. */
function withDirection(sdp: string): string {
  const media = sdp.startsWith('m=') ? 0 : sdp.indexOf('\nm=') + 1
  return sdp.slice(0, media) + sdp.slice(media).replaceAll('\nm=', '\na=direction:active\r\nm=')
}

/** What goes to the end. */
function attributesOf(
  changed: readonly SdpAddress[],
  isDirected: boolean,
  isMarked: boolean,
  { mark, keepsOldAddress }: SdpFixSettings,
): string[] {
  const lines: string[] = []
  if (isDirected) lines.push('a=direction:active')
  if (isMarked && mark !== '') lines.push(mark)
  if (!keepsOldAddress) return lines
  for (const kind of ['c', 'o']) {
    for (const { line, address } of changed) {
      if (line === kind) lines.push(`a=oldmediaip${address.includes(':') ? '6' : ''}:${address}`)
    }
  }
  return lines
}

/** Attributes stand last: RFC 4566 §5 lets none precede t=. */
function withAttributes(sdp: string, lines: readonly string[]): string {
  if (lines.length === 0) return sdp
  const end = sdp.endsWith('\r\n') ? sdp.length - 2 : sdp.length
  return `${sdp.slice(0, end)}\r\n${lines.join('\r\n')}${sdp.slice(end)}`
}
