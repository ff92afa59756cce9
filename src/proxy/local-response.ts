import { createHash } from 'node:crypto'
import { hexOf } from '../runtime/sip-hash.ts'
import { buildResponse } from '../sip/build.ts'
import { flat } from '../sip/bytes.ts'
import type { SipMessage } from '../sip/message.ts'
import type { Flow, SocketTable } from '../transport/socket.ts'
import { answeredVia } from '../transport/via.ts'
import type { ProxySettings, ReplyOptions } from './proxy.ts'

/**
 * Responses of our own: RFC 3261 §8.2.6, with the To-tags and the header order that Kamailio was measured to use.
 * Stateless and stateful responses have different tags, `<32 hex>.<8 hex>` and `<32 hex>-<8 hex>`: the first part
 * says which router it was and survives a restart, the second which request.
 */
export class LocalResponses {
  readonly #sockets: SocketTable
  readonly #settings: ProxySettings
  #statelessPrefix = ''
  #statefulPrefix = ''
  #serverHeader = ''
  #server = ''

  constructor(sockets: SocketTable, settings: ProxySettings) {
    this.#sockets = sockets
    this.#settings = settings
  }

  /** RFC 3261 §8.2.7: the same request always gets the same tag, so that its ACK is recognized without state. */
  statelessTag(request: SipMessage): string {
    this.#statelessPrefix ||= this.#prefix('stateless')
    return `${this.#statelessPrefix}.${requestSuffix(request)}`
  }

  statefulTag(request: SipMessage): string {
    this.#statefulPrefix ||= this.#prefix('stateful')
    return `${this.#statefulPrefix}-${requestSuffix(request)}`
  }

  /** The whole text. 100 gets no tag (RFC 3261 §8.2.6.2); 101 to 299 copy Record-Route (§12.1.1). */
  build(
    request: SipMessage,
    flow: Flow,
    statusCode: number,
    reason: string,
    tag: string,
    options: ReplyOptions | undefined,
    forceRport: boolean,
  ): string {
    const body = options?.body ?? ''
    const type =
      body === '' || options?.contentType === undefined ? '' : `Content-Type: ${options.contentType}\r\n`
    return buildResponse(request, statusCode, reason, {
      toTag: statusCode === 100 ? '' : tag,
      headers: wholeLines(options?.headers ?? '') + type + this.#serverLine(),
      copyRecordRoute: statusCode > 100 && statusCode < 300,
      topmostVia: answeredVia(request, flow, forceRport),
      body,
    })
  }

  /** The setting with its line end; '' if there is none. */
  #serverLine(): string {
    const { serverHeader } = this.#settings
    if (serverHeader !== this.#serverHeader) {
      this.#serverHeader = serverHeader
      this.#server = serverHeader === '' ? '' : flat(`${serverHeader}\r\n`)
    }
    return this.#server
  }

  #prefix(purpose: string): string {
    const first = this.#sockets.sockets[0]
    return createHash('md5')
      .update(`viaduct ${purpose} ${first?.address ?? ''}:${first?.port ?? 0}`)
      .digest('hex')
  }
}

/** Of the Via branch; of a request of RFC 2543, which has none worth the name, of what identifies it instead. */
function requestSuffix(request: SipMessage): string {
  const via = request.topmostVia
  if (via?.isRfc3261) return hash32(via.branch, 0)
  const cseq = request.cseq === null ? '' : String(request.cseq.number)
  return hash32(`${request.callId} ${cseq} ${request.fromTag} ${via?.host ?? ''}`, 0)
}

/** 32 bits of FNV-1a as eight hexadecimal digits: tells requests apart, proves nothing. */
export function hash32(text: string, seed: number): string {
  let hash = 0x811c9dc5 ^ seed
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  }
  return hexOf(hash)
}

/** A script's own header lines may lack the last line end; without it they would swallow the next header. */
export function wholeLines(lines: string): string {
  return lines === '' || lines.endsWith('\r\n') ? lines : `${lines}\r\n`
}
