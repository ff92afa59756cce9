/**
 * The lines of a session description that a NAT makes wrong (RFC 4566 §5.2, §5.7): who it is from (o=), where the
 * media goes (c=). Offsets are within the body.
 */
export interface SdpAddress {
  /** `c` or `o`. */
  readonly line: 'c' | 'o'
  readonly address: string
  readonly start: number
  readonly end: number
  /** Offset of the line, and after its line end. */
  readonly lineStart: number
  readonly lineEnd: number
}

/** Every c= and o= line with an Internet address. */
export function sdpAddresses(body: string): SdpAddress[] {
  const out: SdpAddress[] = []
  for (let lineStart = 0; lineStart < body.length; ) {
    const newline = body.indexOf('\n', lineStart)
    const lineEnd = newline < 0 ? body.length : newline + 1
    const kind = body[lineStart]
    if ((kind === 'c' || kind === 'o') && body[lineStart + 1] === '=') {
      const found = addressIn(body, lineStart, lineEnd)
      if (found !== null) out.push({ line: kind, ...found, lineStart, lineEnd })
    }
    lineStart = lineEnd
  }
  return out
}

/** After ` IP4 ` or ` IP6 `, or at the line's start (`c=IN IP4 ...`). */
function addressIn(
  body: string,
  lineStart: number,
  lineEnd: number,
): { address: string; start: number; end: number } | null {
  const text = body.slice(lineStart, lineEnd)
  const match = /IN IP[46] ([^\s/]+)/.exec(text)
  if (match?.[1] === undefined) return null
  const start = lineStart + match.index + match[0].length - match[1].length
  return { address: match[1], start, end: start + match[1].length }
}

export function hasMedia(body: string): boolean {
  return body.startsWith('m=') || body.includes('\nm=')
}
