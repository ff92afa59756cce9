import { createHash } from 'node:crypto'
import { Endpoint, nextOf, normalized, type Oracle } from '../oracle.ts'

/** One server under comparison and the endpoints of its own that talk with it: A calls, B and C are called. */
export interface Side {
  readonly oracle: Oracle
  readonly endpoints: ReadonlyMap<Name, Endpoint>
}

export type Name = 'A' | 'B' | 'C'

/** What a case does: sends, answers, and takes down what arrives. */
export interface Talk {
  readonly transcript: string[]
  /** Address and port of the server under test. */
  readonly router: string
  readonly oracle: Oracle
  /** Sends as an endpoint: `{ROUTER}`, `{A}`, `{B}` and `{C}` stand for addresses, `{APORT}` and so on for ports. */
  send(from: Name, text: string, options?: { toAddress?: string }): void
  sendOctets(from: Name, octets: Uint8Array): void
  /** The next message at an endpoint goes into the transcript and comes back: '' if none came. */
  take(at: Name, milliseconds?: number): Promise<string>
  /** The next message wherever it arrives. */
  takeAny(milliseconds?: number): Promise<string>
  /** All that arrives anywhere until nothing has come for so many milliseconds, sorted: the order is not compared. */
  takeAll(milliseconds?: number): Promise<string[]>
  /** Something that the case itself found out. */
  note(text: string): void
}

/** `caller`: where A is bound; otherwise wherever the system likes. */
export async function openEndpoints(caller?: {
  address: string
  port: number
}): Promise<Map<Name, Endpoint>> {
  return new Map([
    ['A', await Endpoint.open(caller?.port, caller?.address)],
    ['B', await Endpoint.open()],
    ['C', await Endpoint.open()],
  ])
}

/** Runs a talk with one server; what was taken down, with names in place of what differs between runs. */
export async function play(side: Side, run: (talk: Talk) => Promise<void>): Promise<string> {
  const { oracle, endpoints } = side
  const names = new Map<number, string>([[oracle.port, 'ROUTER']])
  for (const [name, endpoint] of endpoints) {
    names.set(endpoint.port, name)
    endpoint.forget()
  }
  const endpoint = (name: Name) => endpoints.get(name) as Endpoint
  const fill = (text: string) =>
    text.replace(/\{(ROUTER|A|B|C)(PORT)?\}/g, (_, name, port) => {
      const number = name === 'ROUTER' ? oracle.port : endpoint(name).port
      return port ? String(number) : `127.0.0.1:${number}`
    })
  const transcript: string[] = []
  // Every Call-ID gets the run's own mark: what an earlier run still retransmits is not part of this one.
  const mark = `-run${String(runs++).padStart(5, '0')}`
  const marked = (text: string) => text.replace(/^((?:Call-ID|i) ?: [^\r\n]*)/im, `$1${mark}`)
  let isMarked = false
  const written = (at: string, text: string | null) =>
    `--- ${at} received\n${normalized(text, names)
      .replaceAll(mark, '')
      .replace(/call-\d+/g, 'CALL')
      .replace(/^X-Probe: \d+/m, 'X-Probe: N')}`
  const nextAnywhere = async (milliseconds: number) => {
    const found = await nextOf([...endpoints.values()], isMarked ? mark : '', milliseconds)
    const at = [...endpoints].find(([, one]) => one === found?.at)?.[0]
    return { text: found?.text ?? '', line: written(at ?? 'nobody', found?.text ?? null) }
  }
  await run({
    transcript,
    router: `127.0.0.1:${oracle.port}`,
    oracle,
    send: (from, text, options) => {
      const isRequest = !text.startsWith('SIP/2.0')
      if (isRequest) isMarked = true
      endpoint(from).send(isRequest ? marked(fill(text)) : fill(text), oracle.port, options?.toAddress)
    },
    sendOctets: (from, octets) => endpoint(from).sendOctets(octets, oracle.port),
    take: async (at, milliseconds) => {
      const text = await endpoint(at).next(isMarked ? mark : '', milliseconds)
      transcript.push(written(at, text))
      return text ?? ''
    },
    takeAny: async (milliseconds = 1_000) => {
      const { text, line } = await nextAnywhere(milliseconds)
      transcript.push(line)
      return text
    },
    takeAll: async (milliseconds = 150) => {
      const texts: string[] = []
      const lines: string[] = []
      for (;;) {
        const { text, line } = await nextAnywhere(milliseconds)
        if (text === '') break
        texts.push(text)
        lines.push(line)
      }
      transcript.push(...lines.sort())
      return texts
    },
    note: (text) => transcript.push(text),
  })
  return transcript.join('\n')
}

let runs = 0
let calls = 0

/** A Call-ID that shows as `CALL` in every transcript. */
export function newCallId(): string {
  return `call-${calls++}`
}

export interface RequestOptions {
  headers?: string
  body?: string
  via?: string
  to?: string
  cseq?: number
  callId?: string
  branch?: string
  from?: string
  /** In place of `sip:USER@{ROUTER}`. */
  uri?: string
}

/** A request as A writes it. */
export function request(method: string, user: string, options: RequestOptions = {}): string {
  const id = options.callId ?? newCallId()
  const body = options.body ?? ''
  return [
    `${method} ${options.uri ?? `sip:${user === '' ? '' : `${user}@`}{ROUTER}`} SIP/2.0`,
    `Via: SIP/2.0/UDP ${options.via ?? '{A};rport'};branch=z9hG4bK-keep-${options.branch ?? `${id}-${options.cseq ?? 1}`}`,
    'Max-Forwards: 70',
    `From: ${options.from ?? '"Al Ice" <sip:alice@example.com>;tag=from1'}`,
    `To: ${options.to ?? `<sip:${user}@example.com>`}`,
    `Call-ID: ${id}`,
    `CSeq: ${options.cseq ?? 1} ${method}`,
    ...(options.headers ? options.headers.trimEnd().split('\n') : []),
    `Content-Length: ${body.length}`,
    '',
    body,
  ].join('\r\n')
}

/** The credentials of a user, alice unless `changes` says otherwise, at example.com that answer a challenge. */
export function credentials(
  challenge: string,
  method: string,
  password: string,
  uri: string,
  changes: Record<string, string> = {},
): string {
  const nonce = /nonce="([^"]*)"/.exec(challenge)?.[1] ?? ''
  const hash = (text: string) => createHash('md5').update(text).digest('hex')
  const unquoted = (value: string | undefined, otherwise: string) => value?.replaceAll('"', '') ?? otherwise
  const user = unquoted(changes['username'], 'alice')
  const ha1 = hash(`${user}:example.com:${password}`)
  const ha2 = hash(`${method}:${uri}`)
  const hasQop = /qop=/.test(challenge)
  const response = hasQop ? hash(`${ha1}:${nonce}:00000001:abc:auth:${ha2}`) : hash(`${ha1}:${nonce}:${ha2}`)
  const fields: Record<string, string> = {
    username: '"alice"',
    realm: '"example.com"',
    nonce: `"${nonce}"`,
    uri: `"${uri}"`,
    response: `"${response}"`,
    ...(hasQop && { qop: 'auth', nc: '00000001', cnonce: '"abc"' }),
    ...changes,
  }
  return `Digest ${Object.entries(fields)
    .map(([name, value]) => `${name}=${value}`)
    .join(', ')}`
}
