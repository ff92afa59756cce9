import { definePlugin, HeaderId, type RouteContext } from '../../src/plugin/index.ts'

/**
 * Max-Forwards (RFC 3261 §16.3 step 3, §16.6 step 3) as Kamailio's maxfwd: the router leaves the header alone unless
 * the script asks.
 */
const process = {
  in: ['request'],
  args: [{ name: 'value', type: 'int', doc: 'The value of a header that is added.' }],
  returns: {
    1: 'decremented (and cut to max_limit)',
    2: 'there was none: added with `value`',
    '-1': 'it is 0: answer 483 Too Many Hops',
    '-2': 'it cannot be read',
  },
  doc: 'Decrements Max-Forwards.',
} as const

export default definePlugin({
  name: 'maxfwd',
  summary: 'Counts hops: Max-Forwards (RFC 3261 §16.3 step 3).',
  params: {
    max_limit: {
      type: 'int',
      default: 70,
      doc: 'What is left above this value is cut to it; 0 leaves it.',
    },
  },
  functions: {
    mf_process_maxfwd_header: { ...process, aliases: ['process_maxfwd'] },
    is_maxfwd_lt: {
      in: ['request', 'failure', 'branch', 'core-reply', 'reply', 'event'],
      args: [{ name: 'limit', type: 'int', doc: 'To compare with.' }],
      returns: {
        1: 'the value is below `limit`',
        '-1': 'it is not',
        '-2': 'there is none',
        '-3': 'it cannot be read',
      },
      doc: 'Whether Max-Forwards is below a number.',
    },
  },
  setup(_host, params) {
    return {
      functions: {
        mf_process_maxfwd_header(context, value) {
          const now = readMaxForwards(context)
          if (now === 'absent') {
            context.edits.prependHeader(`Max-Forwards: ${value}\r\n`)
            return 2
          }
          if (now === 'unreadable') return -2
          if (now === 0) {
            context.explain('mf_process_maxfwd_header', 'Max-Forwards is 0')
            return -1
          }
          const left = now - 1
          writeMaxForwards(context, params.max_limit > 0 ? Math.min(left, params.max_limit) : left)
          return 1
        },
        is_maxfwd_lt(context, limit) {
          const now = readMaxForwards(context)
          if (now === 'absent') return -2
          if (now === 'unreadable') return -3
          return now < limit ? 1 : -1
        },
      },
    }
  },
})

/** As a second call sees it: with what the first one wrote. An empty value counts as 0 (measured on 5.6.3). */
function readMaxForwards(context: RouteContext): number | 'absent' | 'unreadable' {
  const { message } = context
  const index = message.first(HeaderId.maxForwards)
  if (index < 0) return 'absent'
  const written = writtenValue(context, message.headerValueStart(index))
  if (written !== null) return written
  const text = message.headerValue(index)
  if (text.length > 10) return 'unreadable'
  let value = 0
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 0x30
    if (digit < 0 || digit > 9) return 'unreadable'
    value = value * 10 + digit
  }
  return value
}

function writeMaxForwards(context: RouteContext, value: number): void {
  const { message, edits } = context
  const index = message.first(HeaderId.maxForwards)
  const start = message.headerValueStart(index)
  if (!edits.replace(start, message.headerValueEnd(index), String(value))) {
    edits.removeHeader(message, index)
    edits.insertAfterHeader(message, index, `Max-Forwards: ${value}\r\n`)
  }
}

function writtenValue(context: RouteContext, start: number): number | null {
  if (context.edits.isEmpty) return null
  const edit = context.edits.plan().edits.findLast((one) => one.kind === 'replace' && one.start === start)
  return edit === undefined ? null : Number(edit.text)
}
