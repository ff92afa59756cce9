import { reasonPhraseOf } from '../sip/build.ts'
import { HeaderId } from '../sip/header-id.ts'
import { parseNameAddr } from '../sip/headers/name-addr.ts'
import type { Received } from './received.ts'

/**
 * Messages as agents write them: header by header, so that a test can replace, add or leave out any. Nothing is
 * checked: a test may want to send nonsense.
 */
export type HeaderChanges = Readonly<Record<string, string | readonly string[] | null>>

/** Header lines in order; a name may come more than once. */
export type HeaderLines = readonly (readonly [name: string, value: string])[]

export function writeLines(startLine: string, headers: HeaderLines, body: string): string {
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`)
  return `${startLine}\r\n${lines.join('')}\r\n${body}`
}

/** `null` removes a header, a text replaces it, a list replaces it by several lines; unknown names are added last. */
export function changeHeaders(headers: HeaderLines, changes: HeaderChanges): HeaderLines {
  const out: [string, string][] = []
  const done = new Set<string>()
  const put = (name: string, value: string | readonly string[] | null) => {
    for (const one of value === null ? [] : typeof value === 'string' ? [value] : value) out.push([name, one])
  }
  for (const [name, value] of headers) {
    const changed = Object.keys(changes).find((key) => key.toLowerCase() === name.toLowerCase())
    if (changed === undefined) out.push([name, value])
    else if (!done.has(changed)) put(changed, changes[changed] ?? null)
    if (changed !== undefined) done.add(changed)
  }
  for (const [name, value] of Object.entries(changes)) if (!done.has(name)) put(name, value)
  return out
}

/** RFC 3261 §8.2.6.2: what a response copies from its request, the To tag added. */
export function responseHeaders(request: Received, statusCode: number): HeaderLines {
  const { message } = request
  const all = (name: string) => request.headers(name).map((value) => [name, value] as const)
  const to = message.value(HeaderId.to)
  const isTagged = message.toTag !== '' || statusCode === 100 || request.localTag === ''
  return [
    ...all('Via'),
    ...(statusCode > 100 && statusCode < 300 ? all('Record-Route') : []),
    ['From', message.value(HeaderId.from)],
    ['To', isTagged ? to : `${to};tag=${request.localTag}`],
    ['Call-ID', message.callId],
    ['CSeq', message.value(HeaderId.cseq)],
  ]
}

/** `200`, `180 Ringing`, `603 Go away`: code and reason phrase. */
export function parseStatus(what: string | number): { code: number; reason: string } {
  const match = /^(\d{3})(?: (.*))?$/.exec(String(what))
  const code = Number(match?.[1] ?? 0)
  return { code, reason: match?.[2] ?? reasonPhraseOf(code) }
}

/** The URI in a Contact, From, To or Record-Route value. */
export function uriIn(value: string): string {
  return parseNameAddr(value)?.uri ?? value
}
