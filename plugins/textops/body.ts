import {
  type BodyPart,
  type ContentType,
  HeaderId,
  type Multipart,
  parseContentType,
  parseMultipart,
  type RouteContext,
  type SipMessage,
} from '../../src/plugin/index.ts'

/** Bodies and their parts: RFC 3261 §7.4, RFC 2046 §5.1 (multipart). Kamailio looks at the received body alone. */

/** 1 if there is a body, and it is of that type if one is asked for. */
export function hasBody(message: SipMessage, mediaType: string | undefined): number {
  if (message.bodyStart === message.bodyEnd) return -1
  if (mediaType === undefined || mediaType === '' || mediaType === '0') return 1
  return contentTypeOf(message)?.mediaType === parseContentType(mediaType)?.mediaType ? 1 : -1
}

function contentTypeOf(message: SipMessage): ContentType | null {
  return parseContentType(message.value(HeaderId.contentType))
}

export function setBody(context: RouteContext, text: string, contentType: string): number {
  if (text === '' || contentType === '') return -1
  context.edits.replaceBody(text, contentType)
  return 1
}

/** The first part of that type becomes the body; Content-Type is left to the script, as Kamailio does. */
export function filterBody(context: RouteContext, mediaType: string): number {
  const part = partOf(context.message, mediaType)
  if (part === undefined) return -1
  context.edits.replaceBody(context.message.body.slice(part.contentStart, part.contentEnd))
  return 1
}

/**
 * The first part of that type: its content (Kamailio hands out the line ends around it too), or with `isRaw`
 * all from its headers to the end of the next delimiter.
 */
export function readPart(message: SipMessage, mediaType: string, isRaw: boolean): string | null {
  const part = partOf(message, mediaType)
  if (part === undefined) return null
  const { body } = message
  if (!isRaw) return body.slice(part.contentStart, part.contentEnd)
  const lineEnd = body.indexOf('\n', part.end)
  return body.slice(part.headersStart, lineEnd === -1 ? body.length : lineEnd + 1)
}

export function removePart(context: RouteContext, mediaType: string): number {
  const { message } = context
  const part = partOf(message, mediaType)
  if (part === undefined) return -1
  const isReplaced = context.edits.replace(message.bodyStart + part.start, message.bodyStart + part.end, '')
  return isReplaced ? 1 : -1
}

/** A part before the closing delimiter. Several calls add several parts, in order. */
export function appendPart(
  context: RouteContext,
  content: string,
  contentType: string,
  disposition: string | undefined,
): number {
  const { message } = context
  const multipart = multipartOf(message)
  if (multipart === null || content === '' || contentType === '') return -1
  const at = message.bodyStart + multipart.closingStart
  const text = `--${multipart.boundary}\r\n${partText(content, contentType, disposition)}`
  return context.edits.replace(at, at, text) ? 1 : -1
}

/** The text, or the body that is there, becomes the one part of a multipart body. */
export function setMultipart(
  context: RouteContext,
  text: string | undefined,
  contentType: string | undefined,
  boundary: string,
): number {
  const { message, edits } = context
  const content = text ?? message.body
  const type = contentType ?? message.value(HeaderId.contentType)
  if (content === '' || type === '') return -1
  const body = `--${boundary}\r\n${partText(content, type, undefined)}--${boundary}--\r\n`
  edits.replaceBody(body, `multipart/mixed;boundary="${boundary}"`)
  if (message.find('Mime-Version') === -1) edits.appendHeader('Mime-Version: 1.0\r\n')
  return 1
}

/** Pairs of hexadecimal digits, blanks between them; null if it is anything else. */
export function decodeHex(text: string): string | null {
  const digits = text.replace(/\s+/g, '')
  if (digits.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(digits)) return null
  return Buffer.from(digits, 'hex').toString('latin1')
}

/**
 * Hold in the session description: 1 for a null connection address (RFC 2543), 2 for `sendonly` or `inactive`
 * (RFC 3264 §8.4), -1 for neither. One audio stream on hold is enough.
 */
export function audioHold(message: SipMessage): number {
  let session = sessionDefault
  let stream: StreamState | null = null
  for (const line of message.body.split('\n')) {
    if (line.startsWith('m=')) {
      const hold = holdOf(stream)
      if (hold > 0) return hold
      stream = { ...session, isAudio: line.startsWith('m=audio') }
    } else if (stream === null) {
      session = updated(session, line)
    } else {
      stream = updated(stream, line)
    }
  }
  return holdOf(stream)
}

/** What holds at a line: of the session before the first `m=`, of a stream afterwards. */
interface StreamState {
  readonly isAudio: boolean
  readonly isNull: boolean
  readonly isInactive: boolean
}

const sessionDefault: StreamState = { isAudio: false, isNull: false, isInactive: false }

function updated(state: StreamState, line: string): StreamState {
  if (line.startsWith('c=')) return { ...state, isNull: /^c=IN IP4 0\.0\.0\.0\s*$/.test(line) }
  if (/^a=(?:sendonly|inactive)\s*$/.test(line)) return { ...state, isInactive: true }
  if (/^a=(?:sendrecv|recvonly)\s*$/.test(line)) return { ...state, isInactive: false }
  return state
}

function holdOf(stream: StreamState | null): number {
  if (stream === null || !stream.isAudio) return -1
  return stream.isInactive ? 2 : stream.isNull ? 1 : -1
}

function multipartOf(message: SipMessage): Multipart | null {
  const contentType = contentTypeOf(message)
  return contentType === null ? null : parseMultipart(message.body, contentType)
}

function partOf(message: SipMessage, mediaType: string): BodyPart | undefined {
  const wanted = parseContentType(mediaType)?.mediaType
  return multipartOf(message)?.parts.find((part) => part.mediaType === wanted)
}

function partText(content: string, contentType: string, disposition: string | undefined): string {
  const extra = disposition === undefined ? '' : `Content-Disposition: ${disposition}\r\n`
  return `Content-Type: ${contentType}\r\n${extra}\r\n${content}\r\n`
}
