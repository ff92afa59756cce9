import { answerChallenge, type Endpoint, readChallenge } from '../../src/testing/index.ts'
import type { Calendar } from './calendar.ts'
import type { SlowEdge } from './slow-edge.ts'

/**
 * A device with no more than a storm needs: it registers and answers challenges, does what a 503 says, retransmits as RFC
 * 3261 §17.1 has it, sends messages, calls, and answers both.
 */
export interface Surroundings {
  readonly calendar: Calendar
  readonly now: () => number
  /** Ends of requests that a device had begun. `status` 408: nobody answered. */
  readonly ended: (device: Device, what: Ended) => void
  readonly refused: (device: Device, retryAfter: number) => void
  /** What is new in branches, tags and Call-IDs. */
  readonly next: () => number
}

export interface Ended {
  readonly method: string
  readonly status: number
  /** Since its first datagram; of a REGISTER: since the one that was challenged. */
  readonly milliseconds: number
}

interface Asked {
  readonly method: string
  readonly text: string
  readonly branch: string
  readonly at: number
  /** When the first one left that this one repeats with a password. */
  readonly since: number
  isAnswered: boolean
}

const t1 = 500
const t2 = 4_000
const timerF = 64 * t1
/** A call lasts this long. */
const callMs = 10_000

export class Device {
  readonly user: string
  readonly at: Endpoint
  readonly #around: Surroundings
  readonly #callId: string
  readonly #asked = new Map<string, Asked>()
  #cseq = 0
  edge: SlowEdge
  isRegistered = false
  refusals = 0

  constructor(user: string, address: string, edge: SlowEdge, around: Surroundings) {
    this.user = user
    this.at = { address, port: 5060 }
    this.edge = edge
    this.#around = around
    this.#callId = `${user}@${address}`
  }

  /** A REGISTER is under way: a second one would overtake it. */
  get isRegistering(): boolean {
    return [...this.#asked.values()].some(({ method }) => method === 'REGISTER')
  }

  registers(authorization = '', since = this.#around.now()): void {
    const uri = `sip:${domain}`
    const headers = [
      `Contact: <${this.#contact}>`,
      'Expires: 3600',
      ...(authorization === '' ? [] : [`Authorization: ${authorization}`]),
    ]
    this.#ask('REGISTER', uri, `sip:${this.user}@${domain}`, this.#callId, '', headers, since)
  }

  sendsTo(other: Device): void {
    this.#ask('MESSAGE', `sip:${other.user}@${domain}`, `sip:${other.user}@${domain}`, this.#newCallId(), '')
  }

  calls(other: Device): void {
    const uri = `sip:${other.user}@${domain}`
    this.#ask('INVITE', uri, uri, this.#newCallId(), '', [`Contact: <${this.#contact}>`])
  }

  receives(text: string): void {
    if (text.startsWith('SIP/2.0')) this.#receivesAnswer(text)
    else if (!text.startsWith('ACK')) this.#answers(text)
  }

  get #contact(): string {
    return `sip:${this.user}@${this.at.address}:${this.at.port}`
  }

  #newCallId(): string {
    return `${this.#around.next()}@${this.at.address}`
  }

  #ask(
    method: string,
    uri: string,
    to: string,
    callId: string,
    toTag: string,
    headers: readonly string[] = [],
    since = this.#around.now(),
  ): void {
    const branch = `z9hG4bK${this.#around.next()}`
    this.#cseq++
    const text = [
      `${method} ${uri} SIP/2.0`,
      `Via: SIP/2.0/UDP ${this.at.address}:${this.at.port};branch=${branch}`,
      'Max-Forwards: 70',
      `From: <sip:${this.user}@${domain}>;tag=f${this.user}`,
      `To: <${to}>${toTag === '' ? '' : `;tag=${toTag}`}`,
      `Call-ID: ${callId}`,
      `CSeq: ${this.#cseq} ${method}`,
      ...headers,
      'Content-Length: 0',
      '\r\n',
    ].join('\r\n')
    this.edge.receive(text, this.at)
    if (method === 'ACK') return
    const asked = { method, text, branch, at: this.#around.now(), since, isAnswered: false }
    this.#asked.set(branch, asked)
    this.#againIn(t1, asked)
  }

  #againIn(milliseconds: number, asked: Asked): void {
    this.#around.calendar.in(milliseconds, () => {
      if (asked.isAnswered) return
      if (this.#around.now() - asked.at >= timerF) {
        this.#end(asked, 408)
        if (asked.method === 'REGISTER') this.registers()
        return
      }
      this.edge.receive(asked.text, this.at)
      this.#againIn(Math.min(milliseconds * 2, t2), asked)
    })
  }

  #end(asked: Asked, status: number): void {
    asked.isAnswered = true
    this.#asked.delete(asked.branch)
    const milliseconds = this.#around.now() - asked.since
    this.#around.ended(this, { method: asked.method, status, milliseconds })
  }

  #receivesAnswer(text: string): void {
    const asked = this.#asked.get(/branch=([^;\r]+)/.exec(text)?.[1] ?? '')
    const status = Number(text.slice(8, 11))
    if (asked === undefined || status < 200) return
    if (asked.method === 'REGISTER' && status === 401) this.#challenged(asked, text)
    else if (status === 503) this.#toldToWait(asked, text)
    else {
      this.#end(asked, status)
      if (asked.method === 'REGISTER') this.isRegistered = status === 200
      if (asked.method === 'INVITE') this.#inCall(text)
    }
  }

  #challenged(asked: Asked, text: string): void {
    asked.isAnswered = true
    this.#asked.delete(asked.branch)
    const challenge = readChallenge(value(text, 'WWW-Authenticate'))
    this.registers(
      answerChallenge(challenge, { username: this.user, password }, 'REGISTER', `sip:${domain}`),
      asked.since,
    )
  }

  #toldToWait(asked: Asked, text: string): void {
    const seconds = Number(value(text, 'Retry-After'))
    this.refusals++
    this.#end(asked, 503)
    this.#around.refused(this, seconds)
    if (asked.method === 'REGISTER') this.#around.calendar.in(seconds * 1000, () => this.registers())
  }

  /** ACK at once, BYE later: within the dialog, by the route that the edge has recorded. */
  #inCall(text: string): void {
    const routes = values(text, 'Record-Route')
      .toReversed()
      .map((route) => `Route: ${route}`)
    const target = /<([^>]+)>/.exec(value(text, 'Contact'))?.[1] ?? ''
    const to = value(text, 'To')
    const uri = /<([^>]+)>/.exec(to)?.[1] ?? ''
    const tag = /tag=([^;\s]+)/.exec(to)?.[1] ?? ''
    const callId = value(text, 'Call-ID')
    this.#cseq--
    this.#ask('ACK', target, uri, callId, tag, routes)
    this.#around.calendar.in(callMs, () => this.#ask('BYE', target, uri, callId, tag, routes))
  }

  #answers(text: string): void {
    const copied = text.split('\r\n').filter((line) => /^(Via|From|Call-ID|CSeq|Record-Route):/.test(line))
    const to = value(text, 'To')
    const lines = [
      'SIP/2.0 200 OK',
      ...copied,
      `To: ${to}${to.includes('tag=') ? '' : `;tag=t${this.user}`}`,
      `Contact: <${this.#contact}>`,
      'Content-Length: 0',
      '\r\n',
    ]
    this.edge.receive(lines.join('\r\n'), this.at)
  }
}

export const domain = 'example.com'
export const password = 'secret'

function value(text: string, name: string): string {
  return values(text, name)[0] ?? ''
}

function values(text: string, name: string): string[] {
  return [...text.matchAll(new RegExp(`^${name}: *(.*)\r$`, 'gim'))].map((match) => match[1] ?? '')
}
