import { ArgumentProblem } from '../../../grammar/declarations.ts'
import { HeaderId } from '../../sip/header-id.ts'
import type { SipMessage } from '../../sip/message.ts'
import { Method } from '../../sip/method.ts'
import { writeMessage } from '../../sip/write.ts'
import type { ScriptRun } from '../route-context.ts'
import { type CoreVariables, int, orNull, text } from './variable.ts'

/** The message as a whole: its first line, its well-known headers, its octets. */
export const messageVariables: CoreVariables = {
  rm: text('Method; in a reply, the method in CSeq.', (run) => orNull(run.message.method), {
    aliases: ['method'],
  }),
  rmid: int('Number of the method, a bit of Kamailio’s mask.', (run) => methodNumber(run.message)),
  rs: text('Status code; null in a request.', (run) => statusOf(run.message), { aliases: ['status'] }),
  rsi: int('Status code; 0 in a request.', (run) => run.message.statusCode),
  rr: text('Reason phrase; null in a request.', (run) =>
    run.message.isRequest ? null : run.message.reasonPhrase,
  ),
  rv: text('Protocol version.', () => 'SIP/2.0'),
  rb: text('Body.', (run) => run.message.body),
  ci: text('Call-ID.', (run) => orNull(run.message.callId)),
  cil: int('Length of Call-ID.', (run) => run.message.callId.length),
  cs: text('Number in CSeq.', (run) => cseqNumber(run.message)),
  csi: int('Number in CSeq.', (run) => run.message.cseq?.number ?? null),
  csb: text('CSeq as it stands.', (run) => orNull(run.message.value(HeaderId.cseq))),
  cT: text('Content-Type.', (run) => orNull(run.message.value(HeaderId.contentType))),
  cl: int('Content-Length.', (run) => digits(run.message.value(HeaderId.contentLength))),
  bl: int('Octets of the body.', (run) => run.message.body.length),
  ua: text('User-Agent.', (run) => orNull(run.message.value(HeaderId.userAgent))),
  ct: text('The first Contact header as it stands.', (run) => orNull(run.message.value(HeaderId.contact))),
  mi: int('Number of the message in this process.', (run) => run.number),
  ml: int('Octets of the message.', (run) => run.message.text.length),
  mb: text('The message as it was received.', (run) => run.message.text),
  mbu: text('The message with the changes made so far.', withEdits),
  mt: int('1: request, 2: reply.', (run) => (run.message.isRequest ? 1 : 2)),
  mts: text('rq: request, rp: reply.', (run) => (run.message.isRequest ? 'rq' : 'rp')),
  msg: {
    type: 'value',
    inner: 'name',
    prepare: (name) => {
      const part = parts.get(name)
      if (part === undefined) {
        throw new ArgumentProblem(
          `$msg(${name}): there is no such part`,
          `parts are ${[...parts.keys()].join(', ')}`,
        )
      }
      return part
    },
    doc: 'A part of the message: len, buf, body, hdrs, fpart (first line and headers), lpart (headers and body).',
    read: (run, inner) => (inner as (message: SipMessage) => string | number)(run.message),
  },
}

const parts: ReadonlyMap<string, (message: SipMessage) => string | number> = new Map([
  ['len', (message: SipMessage): string | number => message.text.length],
  ['buf', (message: SipMessage) => message.text],
  ['body', (message: SipMessage) => message.body],
  ['body_len', (message: SipMessage) => message.body.length],
  ['hdrs', (message: SipMessage) => trimmed(message, message.headersStart)],
  ['hdrs_len', (message: SipMessage) => trimmed(message, message.headersStart).length],
  ['fline', (message: SipMessage) => message.text.slice(0, message.headersStart).trimEnd()],
  ['fpart', (message: SipMessage) => trimmed(message, 0)],
  ['lpart', (message: SipMessage) => message.text.slice(message.headersStart)],
])

/** Up to the last header, without the line ends after it. */
function trimmed(message: SipMessage, start: number): string {
  const { text, headersEnd } = message
  const end = text.startsWith('\r\n', headersEnd - 2) ? headersEnd - 2 : headersEnd
  return text.slice(start, end)
}

function methodNumber(message: SipMessage): number {
  return message.methodMask === Method.other ? 0 : message.methodMask
}

function statusOf(message: SipMessage): string | null {
  return message.isRequest ? null : String(message.statusCode)
}

function cseqNumber(message: SipMessage): string | null {
  return message.cseq === null ? null : String(message.cseq.number)
}

function digits(value: string): number | null {
  return /^\d{1,9}$/.test(value) ? Number(value) : null
}

function withEdits(run: ScriptRun): string {
  const { message } = run
  const options = message.isRequest ? { requestUri: run.target.uri } : {}
  return writeMessage(message, run.hasEdits ? run.edits : null, options)
}
