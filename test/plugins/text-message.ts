/** The message that the tests of textops and its kin work on: the one that Kamailio 5.6.3 was measured with. */
export interface TextParts {
  readonly method?: string
  readonly uri?: string
  readonly headers?: string
  readonly from?: string
  readonly to?: string
  readonly body?: string
  /** null: no Content-Type. */
  readonly contentType?: string | null
}

export const sdp = 'v=0\r\no=x 1 1 IN IP4 10.0.0.1\r\nc=IN IP4 10.0.0.1\r\nm=audio 4000 RTP/AVP 0\r\n'
export const multipart =
  '--B1\r\nContent-Type: text/plain\r\n\r\nhello\r\n--B1\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--B1--\r\n'
export const multipartType = 'multipart/mixed;boundary="B1"'

export function textMessage(parts: TextParts = {}): string {
  const { method = 'INVITE', body = sdp, contentType = 'application/sdp' } = parts
  return (
    `${method} ${parts.uri ?? 'sip:bob@127.0.0.1'} SIP/2.0\r\n` +
    'Via: SIP/2.0/UDP 127.0.0.1:15421;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n' +
    `From: ${parts.from ?? '"Al" <sip:alice@example.com>;tag=1'}\r\nTo: ${parts.to ?? '<sip:bob@example.com>'}\r\n` +
    `Call-ID: c1\r\nCSeq: 1 ${method}\r\n` +
    'Contact: <sip:alice@10.0.0.1:5070;transport=tcp;x=y>;expires=30\r\n' +
    `${parts.headers ?? ''}${contentType === null ? '' : `Content-Type: ${contentType}\r\n`}` +
    `Content-Length: ${body.length}\r\n\r\n${body}`
  )
}

/** Lines that one has and the other has not: what an edit did. */
export function difference(before: string, after: string): { added: string[]; removed: string[] } {
  const [old, now] = [before.split('\r\n'), after.split('\r\n')]
  return {
    added: now.filter((line) => !old.includes(line)),
    removed: old.filter((line) => !now.includes(line)),
  }
}

export function bodyOf(message: string): string {
  return message.slice(message.indexOf('\r\n\r\n') + 4)
}
