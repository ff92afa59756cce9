import { HeaderId, type RouteContext } from '../../src/plugin/index.ts'
import { type SdpAddress, sdpAddresses, sessionAttributesEnd } from './sdp.ts'

/** fix_nated_sdp(): the session description says where the packet came from, for media that follow signalling. */
export const sdpFix = {
  /** a=direction:active */
  direction: 1,
  /** c= of session and media */
  media: 2,
  /** a=nortpproxy:yes */
  mark: 4,
  /** o= */
  origin: 8,
  /** Addresses of zeros (on hold, RFC 3264 §8.4) are rewritten too. */
  evenNull: 16,
} as const

export interface SdpFixSettings {
  /** The line that marks a description as dealt with, without CRLF; '' for none. */
  readonly mark: string
  readonly keepsOldAddress: boolean
}

/** 1 if something was changed, -1 otherwise. */
export function fixSdp(
  context: RouteContext,
  flags: number,
  address: string,
  settings: SdpFixSettings,
): number {
  const { message, edits } = context
  const { body } = message
  if (body === '' || message.first(HeaderId.contentType) < 0) return -1
  const found = sdpAddresses(body)
  const changed = body === '' ? [] : found.filter((one) => isToBeFixed(one, flags))
  let text = ''
  let from = 0
  const type = address.includes(':') ? 'IP6' : 'IP4'
  for (const { start, end, address: old, line, lineStart, lineEnd } of changed) {
    const head = body.slice(lineStart, start).replace(/IP[46] $/, `${type} `)
    text += body.slice(from, lineStart) + head + address + body.slice(end, lineEnd)
    if (line === 'c' && settings.keepsOldAddress && (flags & sdpFix.media) !== 0)
      text += `a=oldmediaip:${old}\r\n`
    from = lineEnd
  }
  text += body.slice(from)
  const attributes = attributesOf(flags, settings, body)
  if (attributes !== '') {
    const at = sessionAttributesEnd(text)
    text = `${text.slice(0, at)}${attributes}${text.slice(at)}`
  }
  if (text === body) return -1
  edits.replaceBody(text)
  return 1
}

function isToBeFixed({ line, address }: SdpAddress, flags: number): boolean {
  const isNull = address === '0.0.0.0' || address === '::'
  if (isNull && (flags & sdpFix.evenNull) === 0) return false
  return (flags & (line === 'c' ? sdpFix.media : sdpFix.origin)) !== 0
}

function attributesOf(flags: number, { mark }: SdpFixSettings, body: string): string {
  let out = ''
  if ((flags & sdpFix.direction) !== 0) out += 'a=direction:active\r\n'
  if ((flags & sdpFix.mark) !== 0 && mark !== '' && !body.includes(mark)) out += `${mark}\r\n`
  return out
}
