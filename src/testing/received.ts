import { HeaderId } from '../sip/header-id.ts'
import type { SipMessage } from '../sip/message.ts'
import { isFault, scanMessage } from '../sip/scan.ts'
import type { Endpoint } from './nat.ts'

/** A message as an agent of a ladder got it. */
export class Received {
  readonly text: string
  readonly message: SipMessage
  readonly source: Endpoint
  /** Milliseconds of the simulated clock. */
  readonly at: number
  /** True if the very same message came before. */
  readonly isRetransmission: boolean
  /** Set by the agent: somebody expected this one. */
  isExpected = false
  /** Set by the agent: a final response went out. */
  isAnswered = false
  /** To-tag of the agent's responses. */
  localTag = ''

  constructor(text: string, source: Endpoint, at: number, isRetransmission: boolean) {
    const message = scanMessage(text)
    if (isFault(message)) throw new Error(`a message that cannot be read: ${message.reason}\n${text}`)
    this.text = text
    this.message = message
    this.source = source
    this.at = at
    this.isRetransmission = isRetransmission
  }

  get method(): string {
    return this.message.method
  }

  get isRequest(): boolean {
    return this.message.isRequest
  }

  get statusCode(): number {
    return this.message.statusCode
  }

  get reasonPhrase(): string {
    return this.message.reasonPhrase
  }

  get requestUri(): string {
    return this.message.requestUri
  }

  get body(): string {
    return this.message.body
  }

  get startLine(): string {
    return this.text.slice(0, this.text.indexOf('\r\n'))
  }

  /** The value of the first header of that name, '' if there is none. */
  header(name: string): string {
    return this.headers(name)[0] ?? ''
  }

  /** The values of all header lines of that name, from the top. */
  headers(name: string): string[] {
    const { message } = this
    const values: string[] = []
    for (let i = message.find(name); i >= 0; i = message.next(i)) values.push(message.headerValue(i))
    return values
  }
}

/** What makes two datagrams the same message: the start line, topmost Via, CSeq and To. */
export function identityOf(text: string): string {
  const message = scanMessage(text)
  if (isFault(message)) return text
  const startLine = text.slice(0, message.headersStart)
  return [
    startLine,
    ...[HeaderId.via, HeaderId.cseq, HeaderId.callId, HeaderId.to].map((id) => message.value(id)),
  ].join('\n')
}
