import {
  type ArgumentDeclaration,
  definePlugin,
  errorAnswer,
  type ReplyStatus,
  type RouteContext,
} from '../../src/plugin/index.ts'

/**
 * Answers without a transaction, as Kamailio's sl: the To-tag follows from the request, and the ACK that carries it
 * back is swallowed before the script. Where a transaction exists the answer goes through it, whatever the function:
 * two final answers to one request never leave (Kamailio's sl_reply_error() sends a second one after a failed
 * save() or t_relay(); security.md case 68).
 */
const code = {
  name: 'code',
  type: 'string',
  doc: 'Status code, 100 to 699.',
} as const satisfies ArgumentDeclaration
const reason = {
  name: 'reason',
  type: 'string',
  doc: 'Reason phrase.',
} as const satisfies ArgumentDeclaration
const returns = {
  1: 'sent; or an ACK, which gets no answer',
  '-1': 'not sent: a bad code, or a final answer went before',
} as const
const errorReturns = {
  1: 'sent',
  '-1': 'not sent',
  '-2': 'not sent: the request has its final answer',
  '-3': 'not sent: the request is on its way, and will be answered from there',
} as const

export default definePlugin({
  name: 'sl',
  summary: 'Stateless answers (RFC 3261 §8.2.7, §16.11).',
  params: {
    default_code: { type: 'int', default: 500, doc: 'Code of an answer whose code argument is no number.' },
    default_reason: { type: 'string', default: 'Internal Server Error', doc: 'Its reason phrase.' },
    bind_tm: {
      type: 'int',
      default: 1,
      doc: '0: send_reply() answers statelessly even if there is a transaction.',
      ignored: 'a request with a transaction is answered through it',
    },
    rich_redirect: {
      type: 'int',
      default: 0,
      ignored: 'Contact headers of a redirect are the script\u2019s',
      doc: 'Redirects.',
    },
    event_callback: { type: 'string', ignored: 'there is no KEMI here', doc: 'KEMI function.' },
  },
  functions: {
    sl_send_reply: {
      in: ['request'],
      args: [code, reason],
      returns,
      aliases: ['sl_reply'],
      doc: 'Answers the request statelessly, unless it has a transaction.',
    },
    send_reply: {
      in: ['request', 'failure', 'reply', 'event'],
      args: [code, reason],
      returns,
      doc: 'Answers the request: through its transaction if it has one, statelessly otherwise.',
    },
    send_reply_mode: {
      in: ['request', 'failure', 'reply', 'event'],
      args: [
        code,
        reason,
        { name: 'mode', type: 'string', doc: 'Has no effect: 1 would prefer a stateless answer.' },
      ],
      returns,
      doc: 'As send_reply().',
    },
    sl_reply_error: {
      in: ['request'],
      returns: errorReturns,
      doc: 'Answers with what went wrong last: "478 Unresolvable destination (478/TM)", 500 if nothing is known.',
    },
    send_reply_error: {
      in: ['request', 'failure'],
      returns: errorReturns,
      doc: 'As sl_reply_error(), in failure routes too.',
    },
    sl_forward_reply: {
      in: ['core-reply'],
      args: [
        { name: 'code', type: 'string', optional: true, doc: 'New status code, of the same class.' },
        { name: 'reason', type: 'string', optional: true, doc: 'New reason phrase.' },
      ],
      returns: { 1: 'forwarded', '-1': 'not forwarded: we did not forward its request' },
      doc: 'Forwards a response without state, to where the request that we forwarded came from.',
    },
  },
  rpc: { 'sl.stats': { doc: 'How many answers of each code were sent statelessly.', workers: 'sum' } },
  setup(host, params) {
    const answer = (context: RouteContext, codeText: string, phrase: string): number => {
      if (context.message.method === 'ACK' && context.message.isRequest) return 1
      const status = statusOf(codeText)
      if (status !== null) return context.reply(status, onOneLine(phrase))
      if (codeText.trim() !== '' && /^\d+$/.test(codeText)) return -1
      return context.reply(params.default_code, params.default_reason)
    }
    return {
      functions: {
        sl_send_reply: answer,
        send_reply: answer,
        send_reply_mode: (context, codeText, phrase) => answer(context, codeText, phrase),
        sl_reply_error: replyError,
        send_reply_error: replyError,
        sl_forward_reply(context, codeText, phrase) {
          const status = codeText === undefined ? null : newStatus(context, codeText, phrase)
          const isSent = host.proxy.stateless.forwardResponse(context.message, context.edits, status)
          return isSent ? 1 : -1
        },
      },
      rpc: { 'sl.stats': () => statistics(host.proxy.statistics.statelessReplies) },
    }
  },
})

function replyError(context: RouteContext): number {
  const { transaction } = context
  if (context.message.method === 'ACK') return 1
  if (context.isReplied || transaction?.isAnswered) {
    context.explain('sl_reply_error', 'the request has its final answer already: no second one')
    return -2
  }
  if (transaction !== null && transaction.relayError === 0 && transaction.branches.length > 0) return -3
  const problem = transaction?.relayError ?? 0
  const { statusCode, reason: phrase } = problem === 0 ? errorAnswer(-1, 'SL') : errorAnswer(problem, 'TM')
  return context.reply(statusCode, phrase)
}

/** Null if the code is none or of another class: a 200 cannot become a 404 on the way. */
function newStatus(context: RouteContext, codeText: string, phrase: string | undefined): ReplyStatus | null {
  const { message } = context
  const status = statusOf(codeText)
  if (status === null || Math.floor(status / 100) !== Math.floor(message.statusCode / 100)) return null
  return { code: status, reason: phrase ? onOneLine(phrase) : message.reasonPhrase }
}

/** Three digits, 100 to 699. Hot: no regular expression. */
function statusOf(text: string): number | null {
  if (text.length !== 3) return null
  let status = 0
  for (let at = 0; at < 3; at++) {
    const digit = text.charCodeAt(at) - 0x30
    if (digit < 0 || digit > 9) return null
    status = status * 10 + digit
  }
  return status >= 100 && status < 700 ? status : null
}

/** A phrase made of message parts must not start a header of its own. */
function onOneLine(phrase: string): string {
  const isOneLine = !phrase.includes('\n') && !phrase.includes('\r')
  return isOneLine ? phrase : phrase.replace(/[\r\n]+/g, ' ')
}

/** As Kamailio's sl.stats: the codes that it names, classes for the rest. */
function statistics(replies: ReadonlyMap<number, number>): Record<string, number> {
  const out: Record<string, number> = {}
  for (const named of namedCodes) out[named] = 0
  for (const [status, count] of replies) {
    const name = String(status)
    const key = name in out ? name : `${Math.floor(status / 100)}xx`
    out[key in out ? key : 'xxx'] = (out[key in out ? key : 'xxx'] ?? 0) + count
  }
  return out
}

const namedCodes = [
  '1xx',
  '200',
  '202',
  '2xx',
  '300',
  '301',
  '302',
  '3xx',
  '400',
  '401',
  '403',
  '404',
  '407',
  '408',
  '483',
  '4xx',
  '500',
  '5xx',
  '6xx',
  'xxx',
]
