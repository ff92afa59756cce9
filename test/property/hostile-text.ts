import fc from 'fast-check'

/** Messages that were good once: a base text and what was done to it, so that fast-check can undo it bit by bit. */
export interface Mutation {
  readonly kind:
    | 'flip'
    | 'cut'
    | 'double'
    | 'insert'
    | 'swap lines'
    | 'double line'
    | 'drop line'
    | 'number'
    | 'truncate'
  /** Where, in thousandths of the text. */
  readonly at: number
  /** How much, in octets. */
  readonly length: number
  readonly piece: string
}

/** What makes parsers stumble. */
const pieces = [
  '\r\n',
  '\r\n\r\n',
  '\n',
  '\r',
  '\0',
  ' ',
  '\t',
  '"',
  '\\',
  '<',
  '>',
  '<<>>',
  ',',
  ';',
  ';;',
  '=',
  ':',
  '@',
  '%',
  '%00',
  '%zz',
  '?',
  '*',
  '[',
  ']',
  '[::1]',
  '\xff',
  '\xc3\x28',
  '$ru',
  '$(hdr(',
  '__proto__',
  'constructor',
  '-1',
  '0',
  '4294967296',
  '99999999999999999999',
  ';rport',
  ';received=1.2.3.4',
  ';maddr=255.255.255.255',
  ';ttl=1',
  ';lr',
  ';alias=1.2.3.4~5060~1',
  ';ob',
  ';expires=0',
  ';q=7',
  ';tag=',
  ';branch=z9hG4bK',
  'sip:',
  'sips:a@b',
  'tel:+1',
  'Route: <sip:192.0.2.1;lr>\r\n',
  'Record-Route: <sip:192.0.2.1;lr>\r\n',
  'Path: <sip:a@b;lr>\r\n',
  'Contact: *\r\n',
  'Expires: 0\r\n',
  'Max-Forwards: 0\r\n',
  'Content-Length: 1\r\n',
  'Proxy-Require: x\r\n',
  'Authorization: Digest\r\n',
  'CANCEL',
  'ACK',
  'INVITE',
  'REGISTER',
] as const

export const mutation: fc.Arbitrary<Mutation> = fc.record({
  kind: fc.constantFrom(
    'flip',
    'cut',
    'double',
    'insert',
    'insert',
    'swap lines',
    'double line',
    'drop line',
    'number',
    'truncate',
  ),
  at: fc.nat(1_000),
  length: fc.oneof(fc.nat(8), fc.nat(200)),
  piece: fc.constantFrom(...pieces),
})

export function mutate(text: string, mutations: readonly Mutation[]): string {
  return mutations.reduce(mutateOnce, text)
}

function mutateOnce(text: string, { kind, at, length, piece }: Mutation): string {
  const place = Math.floor((text.length * at) / 1_000)
  const before = text.slice(0, place)
  const after = text.slice(place)
  switch (kind) {
    case 'flip':
      return before + String.fromCharCode((after.charCodeAt(0) || 0) ^ (1 << (length % 8))) + after.slice(1)
    case 'cut':
      return before + after.slice(length)
    case 'double':
      return before + after.slice(0, length) + after
    case 'insert':
      return before + piece + after
    case 'number':
      return before + after.replace(/\d+/, piece)
    case 'truncate':
      return before
    default:
      return mutateLines(text, kind, at)
  }
}

function mutateLines(text: string, kind: Mutation['kind'], at: number): string {
  const lines = text.split('\r\n')
  const index = Math.floor((lines.length * at) / 1_001)
  const line = lines[index] ?? ''
  if (kind === 'double line') lines.splice(index, 0, line)
  else if (kind === 'drop line') lines.splice(index, 1)
  else {
    const other = (index * 7 + 3) % lines.length
    lines[index] = lines[other] ?? ''
    lines[other] = line
  }
  return lines.join('\r\n')
}
