import { createHash } from 'node:crypto'

/** A client's side of digest authentication, written from RFC 7616 §3.4 without a look at plugins/auth. */
export interface ChallengeSeen {
  readonly header: string
  readonly realm: string
  readonly nonce: string
  readonly qop: string
  readonly algorithm: string
  readonly stale: boolean
}

export function challengesIn(headers: string): ChallengeSeen[] {
  return headers
    .split('\r\n')
    .filter((line) => /^(WWW|Proxy)-Authenticate: Digest /.test(line))
    .map((line) => ({
      header: line.slice(0, line.indexOf(':')),
      realm: /realm="((?:[^"\\]|\\.)*)"/.exec(line)?.[1] ?? '',
      nonce: /nonce="([^"]*)"/.exec(line)?.[1] ?? '',
      qop: /qop="([^"]*)"/.exec(line)?.[1] ?? '',
      algorithm: /algorithm=([\w-]+)/.exec(line)?.[1] ?? '',
      stale: /stale=true/.test(line),
    }))
}

export interface Answering {
  readonly username: string
  readonly password: string
  readonly method: string
  readonly uri: string
  readonly realm: string
  readonly nonce: string
  readonly qop?: string
  readonly nc?: string
  readonly algorithm?: string
  readonly body?: string
  /** Instead of the password's. */
  readonly ha1?: string
  /** Further or other parameters, as written. */
  readonly extra?: string
}

/** The value of Authorization or Proxy-Authorization. */
export function answerTo(options: Answering): string {
  const { username, password, method, uri, realm, nonce, qop = '', nc = '00000001', algorithm = '' } = options
  const h = hashNamed(algorithm)
  const ha1 = options.ha1 ?? h(`${username}:${realm}:${password}`)
  const ha2 = qop === 'auth-int' ? h(`${method}:${uri}:${h(options.body ?? '')}`) : h(`${method}:${uri}`)
  const response = qop === '' ? h(`${ha1}:${nonce}:${ha2}`) : h(`${ha1}:${nonce}:${nc}:c1:${qop}:${ha2}`)
  const parts = [
    `username="${username}"`,
    `realm="${realm}"`,
    `nonce="${nonce}"`,
    `uri="${uri}"`,
    `response="${response}"`,
  ]
  if (algorithm !== '') parts.push(`algorithm=${algorithm}`)
  if (qop !== '') parts.push(`qop=${qop}`, `nc=${nc}`, 'cnonce="c1"')
  if (options.extra !== undefined) parts.push(options.extra)
  return `Digest ${parts.join(', ')}`
}

function hashNamed(algorithm: string): (text: string) => string {
  const name = { '': 'md5', MD5: 'md5', 'SHA-256': 'sha256', 'SHA-512-256': 'sha512-256' }[algorithm] ?? 'md5'
  return (text) => createHash(name).update(text, 'latin1').digest('hex')
}

let calls = 0

export interface Asking {
  readonly method?: string
  readonly uri?: string
  readonly from?: string
  readonly to?: string
  /** Complete lines. */
  readonly headers?: string
  readonly body?: string
  readonly callId?: string
  readonly cseq?: number
}

/** A request of its own call unless told otherwise. */
export function requestText(options: Asking = {}): string {
  const { method = 'REGISTER', uri = 'sip:example.com', headers = '', body = '', cseq = 1 } = options
  const from = options.from ?? '<sip:alice@example.com>'
  const to = options.to ?? from
  return (
    `${method} ${uri} SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK${++calls}\r\nMax-Forwards: 70\r\n` +
    `From: ${from};tag=f1\r\nTo: ${to}\r\nCall-ID: ${options.callId ?? `call-${calls}`}\r\nCSeq: ${cseq} ${method}\r\n` +
    `${headers}Content-Length: ${body.length}\r\n\r\n${body}`
  )
}
