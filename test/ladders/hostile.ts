import { expect } from 'vitest'
import type { CapturedDatagram, World } from '../../src/testing/index.ts'

/**
 * Messages that somebody made to do harm, through a whole router. The rows are those of the project's list of
 * attacks; each says what must come of it. Whatever comes, the router answers the next one.
 */
export const modules = [
  'tm',
  'sl',
  'rr',
  'pv',
  'xlog',
  'maxfwd',
  'sanity',
  'siputils',
  'textops',
  'usrloc',
  'registrar',
]
  .map((name) => `loadmodule "${name}.so"\n`)
  .join('')

/** Registers are saved, users are looked up, everything else goes to bob. */
export const registrar = {
  script: `${modules}
request_route {
  if (!sanity_check("17895", "7")) exit;
  remove_hf("P-Asserted-Identity");
  if (is_method("REGISTER")) { if (!save("location")) sl_reply_error(); exit; }
  if (is_method("MESSAGE") && uri == myself) {
    if (!lookup("location")) { sl_send_reply("404", "Not Found"); exit; }
    t_relay();
    exit;
  }
  $du = "sip:192.0.2.12:5060";
  if (!t_relay()) sl_reply_error();
}
`,
}

export interface Parts {
  readonly startLine?: string
  readonly method?: string
  readonly from?: string
  readonly to?: string
  readonly cseq?: string
  readonly lines?: readonly string[]
  readonly contentLength?: string
  readonly body?: string
  readonly via?: string
}

let serial = 0

/** A request that a test may spoil anywhere. */
export function hostile(parts: Parts = {}): string {
  const { method = 'OPTIONS', body = '' } = parts
  serial++
  return [
    parts.startLine ?? `${method} sip:x@far.example SIP/2.0`,
    parts.via ?? `Via: SIP/2.0/UDP 192.0.2.11:5060;branch=z9hG4bKh${serial};rport`,
    'Max-Forwards: 70',
    parts.from ?? `From: <sip:evil@far.example>;tag=${serial}`,
    parts.to ?? 'To: <sip:x@far.example>',
    `Call-ID: hostile-${serial}`,
    parts.cseq ?? `CSeq: 1 ${method}`,
    ...(parts.lines ?? []),
    `Content-Length: ${parts.contentLength ?? body.length}`,
    '',
    body,
  ].join('\r\n')
}

export interface Result {
  readonly forwarded: readonly string[]
  readonly finals: readonly string[]
}

/** Sends it from nobody's address, and says what left. The router must serve a ping afterwards. */
export async function send(world: World, text: string, wait = 100): Promise<Result> {
  const { network, router, advance, log, running } = world
  const sender = network.host(`sender-${++serial}`, { address: `203.0.113.${(serial % 250) + 1}` })
  const socket = sender.bind(sender.address, 5060, { onDatagram() {}, onError() {} })
  const from = network.captured.length
  socket.send(text, router.address, router.port)
  await advance(wait)
  const sent = network.captured.slice(from).filter(({ fromHost }) => fromHost === 'router')
  socket.send(hostile({ startLine: 'OPTIONS sip:ping@far.example SIP/2.0' }), router.address, router.port)
  await advance(10)
  expect(network.captured.slice(-3).some(({ text: one }) => one.startsWith('OPTIONS sip:ping@'))).toBe(true)
  expect(log.messages('error')).toEqual([])
  expect(running.metrics.counter('viaduct_internal_errors_total', '').value()).toBe(0)
  return {
    forwarded: unique(sent.filter(({ toHost }) => toHost === 'bob')),
    finals: unique(sent.filter(({ toHost }) => toHost !== 'bob')).filter((one) =>
      /^SIP\/2\.0 [2-6]/.test(one),
    ),
  }
}

export function unique(datagrams: readonly CapturedDatagram[]): string[] {
  return [...new Set(datagrams.map(({ text }) => text))]
}

export const statusOf = ({ finals }: Result) => Number(finals[0]?.slice(8, 11) ?? 0)
