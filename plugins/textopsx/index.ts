import {
  type ArgumentDeclaration,
  anyRoute,
  asciiLower,
  definePlugin,
  HeaderId,
  isFault,
  type Pattern,
  type RouteContext,
  scanMessage,
} from '../../src/plugin/index.ts'
import { matchesGlob } from './glob.ts'
import {
  appendValue,
  assignValue,
  excludeValue,
  hasValue,
  includeValue,
  insertValue,
  parseValueName,
  removeValue,
} from './header-values.ts'
import { bodyLines, Walks } from './iterators.ts'

/** Kamailio's textopsx: changes that take effect at once, single values of headers, walks over headers and lines. */
const messageRoutes = ['request', 'core-reply', 'reply', 'failure', 'branch'] as const
const done = { 1: 'done' } as const
const doneOrNothing = { 1: 'done', '-1': 'nothing to do it to' } as const

const valueName = {
  name: 'value',
  type: 'string',
  prepare: parseValueName,
  doc: 'Name, Name[2], Name[-1], Name[*] or Name[2].param; counted from 1.',
} as const satisfies ArgumentDeclaration
const text = { name: 'text', type: 'string', doc: 'The new value.' } as const satisfies ArgumentDeclaration
const header = { name: 'header', type: 'string', doc: 'Header name.' } as const satisfies ArgumentDeclaration
const walk = {
  name: 'iterator',
  type: 'string',
  doc: 'Name of the iterator.',
} as const satisfies ArgumentDeclaration
const lines = {
  name: 'text',
  type: 'string',
  doc: 'Whole lines, each ended by CRLF.',
} as const satisfies ArgumentDeclaration
const started = { 1: 'started', '-1': 'too many iterators' } as const
const ended = { 1: 'ended', '-1': 'no such iterator' } as const
const moved = { 1: 'there is one', '-1': 'the end, or no such iterator' } as const
const changed = { 1: 'done', '-1': 'the iterator stands nowhere' } as const

export default definePlugin({
  name: 'textopsx',
  summary: 'Changes that take effect at once, values of headers, walks over headers and body lines.',
  functions: {
    msg_apply_changes: {
      in: ['request', 'core-reply'],
      returns: {
        1: 'done',
        '-1': 'the request has a transaction already, or the changed message cannot be read: nothing changed',
      },
      doc: 'The edits become the message: $hdr and all others see them.',
    },
    msg_set_buffer: {
      in: ['request', 'core-reply'],
      args: [{ name: 'data', type: 'string', doc: 'A whole message.' }],
      returns: {
        1: 'done',
        '-1': 'it cannot be read, is of the other kind, or the request has a transaction already',
      },
      doc: 'Puts another message in the place of the received one.',
    },
    change_reply_status: {
      in: ['core-reply', 'reply'],
      args: [
        { name: 'code', type: 'int', doc: '300 to 699; below 300 only within its class.' },
        { name: 'reason', type: 'string', doc: 'Reason phrase.' },
      ],
      returns: { 1: 'done', '-1': 'a change that is not allowed' },
      doc: 'The response goes on with another status line.',
    },
    change_reply_status_code: {
      in: ['core-reply', 'reply'],
      args: [{ name: 'code', type: 'int', doc: '300 to 699; below 300 only within its class.' }],
      returns: { 1: 'done', '-1': 'a change that is not allowed' },
      doc: 'The same with the reason phrase that is there.',
    },
    remove_body: { in: anyRoute, returns: done, doc: 'Removes the body. Content-Type stays.' },
    keep_hf: {
      in: anyRoute,
      args: [{ name: 're', type: 'regex', optional: true, doc: 'Names of headers that stay.' }],
      returns: done,
      doc: 'Removes all headers but those that routing needs and those whose name matches.',
    },
    fnmatch: {
      in: anyRoute,
      args: [
        { name: 'value', type: 'string', doc: 'What to test.' },
        { name: 'pattern', type: 'string', doc: 'Shell pattern: *, ?, [a-z].' },
        { name: 'flags', type: 'string', optional: true, doc: 'i: without case.' },
      ],
      returns: { 1: 'matches', '-1': 'does not match' },
      doc: 'Matches a text against a shell pattern.',
    },
    append_hf_value: {
      in: messageRoutes,
      args: [valueName, text],
      returns: done,
      doc: 'Adds a value after that one, or a header at the end.',
    },
    insert_hf_value: {
      in: messageRoutes,
      args: [valueName, text],
      returns: done,
      doc: 'Adds a value before that one, or a header before the first of that name, after all if there is none.',
    },
    remove_hf_value: {
      in: messageRoutes,
      args: [valueName],
      returns: doneOrNothing,
      doc: 'Removes a value, or a parameter of it.',
    },
    remove_hf_value2: {
      in: messageRoutes,
      args: [valueName],
      returns: doneOrNothing,
      doc: 'The same for headers whose commas separate parameters: Authorization.',
    },
    assign_hf_value: {
      in: messageRoutes,
      args: [valueName, text],
      returns: doneOrNothing,
      doc: 'Changes a value, or a parameter of it.',
    },
    assign_hf_value2: {
      in: messageRoutes,
      args: [valueName, text],
      returns: doneOrNothing,
      doc: 'The same for headers whose commas separate parameters: Authorization.',
    },
    include_hf_value: {
      in: messageRoutes,
      args: [header, text],
      returns: done,
      doc: 'Adds a value unless it is there.',
    },
    exclude_hf_value: { in: messageRoutes, args: [header, text], returns: done, doc: 'Removes a value.' },
    hf_value_exists: {
      in: anyRoute,
      args: [header, text],
      returns: { 1: 'yes', '-1': 'no' },
      doc: 'Tests whether a list header has the value.',
    },
    hf_iterator_start: {
      in: anyRoute,
      args: [walk],
      returns: started,
      doc: 'Starts a walk over the headers.',
    },
    hf_iterator_end: { in: anyRoute, args: [walk], returns: ended, doc: 'Ends it.' },
    hf_iterator_next: { in: anyRoute, args: [walk], returns: moved, doc: 'Goes to the next header.' },
    hf_iterator_prev: { in: anyRoute, args: [walk], returns: moved, doc: 'Goes to the header before.' },
    hf_iterator_rm: { in: anyRoute, args: [walk], returns: changed, doc: 'Removes the header.' },
    hf_iterator_append: {
      in: anyRoute,
      args: [walk, lines],
      returns: changed,
      doc: 'Adds lines after the header.',
    },
    hf_iterator_insert: {
      in: anyRoute,
      args: [walk, lines],
      returns: changed,
      doc: 'Adds lines before the header.',
    },
    bl_iterator_start: {
      in: anyRoute,
      args: [walk],
      returns: started,
      doc: 'Starts a walk over the body lines.',
    },
    bl_iterator_end: { in: anyRoute, args: [walk], returns: ended, doc: 'Ends it.' },
    bl_iterator_next: { in: anyRoute, args: [walk], returns: moved, doc: 'Goes to the next line.' },
    bl_iterator_rm: { in: anyRoute, args: [walk], returns: changed, doc: 'Removes the line.' },
    bl_iterator_append: {
      in: anyRoute,
      args: [walk, lines],
      returns: changed,
      doc: 'Adds text after the line.',
    },
    bl_iterator_insert: {
      in: anyRoute,
      args: [walk, lines],
      returns: changed,
      doc: 'Adds text before the line.',
    },
  },
  variables: {
    hfitname: { inner: 'name', type: 'string', doc: 'Name of the header at which the iterator stands.' },
    hfitbody: { inner: 'name', type: 'string', doc: 'Value of the header at which the iterator stands.' },
    blitval: {
      inner: 'name',
      type: 'string',
      doc: 'The body line at which the iterator stands, its end included.',
    },
  },
  setup() {
    const headers = new Walks((message) => message.headerCount)
    const bodies = new Walks((message) => bodyLines(message).length)
    return {
      functions: {
        msg_apply_changes: (context) => (mayReplaceMessage(context) && context.applyEdits() ? 1 : -1),
        msg_set_buffer: setBuffer,
        change_reply_status: changeStatus,
        change_reply_status_code: (context, code) =>
          changeStatus(context, code, context.replyStatus?.reason ?? context.message.reasonPhrase),
        remove_body: ({ edits }) => {
          edits.replaceBody('')
          return 1
        },
        keep_hf: keepHeaders,
        fnmatch: (_context, value, pattern, flags) => {
          const isFolded = flags?.includes('i') === true
          const isMatch = isFolded
            ? matchesGlob(asciiLower(value), asciiLower(pattern))
            : matchesGlob(value, pattern)
          return isMatch ? 1 : -1
        },
        append_hf_value: appendValue,
        insert_hf_value: insertValue,
        remove_hf_value: (context, name) => removeValue(context, name, 'list'),
        remove_hf_value2: (context, name) => removeValue(context, name, 'line'),
        assign_hf_value: (context, name, value) => assignValue(context, name, value, 'list'),
        assign_hf_value2: (context, name, value) => assignValue(context, name, value, 'line'),
        include_hf_value: includeValue,
        exclude_hf_value: excludeValue,
        hf_value_exists: ({ message }, name, value) => (hasValue(message, name, value) ? 1 : -1),
        hf_iterator_start: (context, name) => headers.start(context, name),
        hf_iterator_end: (context, name) => headers.end(context, name),
        hf_iterator_next: (context, name) => headers.move(context, name, 1),
        hf_iterator_prev: (context, name) => headers.move(context, name, -1),
        hf_iterator_rm: (context, name) => {
          const index = headers.position(context, name)
          return index !== -1 && context.edits.removeHeader(context.message, index) ? 1 : -1
        },
        hf_iterator_append: (context, name, added) => {
          const index = headers.position(context, name)
          if (index !== -1) context.edits.insertAfterHeader(context.message, index, added)
          return index === -1 ? -1 : 1
        },
        hf_iterator_insert: (context, name, added) => {
          const index = headers.position(context, name)
          if (index !== -1) context.edits.insertBeforeHeader(context.message, index, added)
          return index === -1 ? -1 : 1
        },
        bl_iterator_start: (context, name) => bodies.start(context, name),
        bl_iterator_end: (context, name) => bodies.end(context, name),
        bl_iterator_next: (context, name) => bodies.move(context, name, 1),
        bl_iterator_rm: (context, name) => {
          const line = bodyLines(context.message)[bodies.position(context, name)]
          return line !== undefined && context.edits.replace(line.start, line.end, '') ? 1 : -1
        },
        bl_iterator_append: (context, name, added) => {
          const line = bodyLines(context.message)[bodies.position(context, name)]
          return line !== undefined && context.edits.replace(line.end, line.end, added) ? 1 : -1
        },
        bl_iterator_insert: (context, name, added) => {
          const line = bodyLines(context.message)[bodies.position(context, name)]
          return line !== undefined && context.edits.replace(line.start, line.start, added) ? 1 : -1
        },
      },
      variables: {
        hfitname: {
          read(context, name) {
            const index = headers.position(context, String(name))
            return index === -1 ? null : context.message.headerName(index)
          },
        },
        hfitbody: {
          read(context, name) {
            const index = headers.position(context, String(name))
            return index === -1 ? null : context.message.headerValue(index)
          },
        },
        blitval: {
          read(context, name) {
            const line = bodyLines(context.message)[bodies.position(context, String(name))]
            return line === undefined ? null : context.message.text.slice(line.start, line.end)
          },
        },
      },
    }
  },
})

/** A transaction keeps the request that it was made of: another one would not match its retransmissions. */
function mayReplaceMessage(context: RouteContext): boolean {
  if (context.kind !== 'request' || context.transaction === null) return true
  context.explain('msg_apply_changes', 'the request has a transaction already')
  return false
}

function setBuffer(context: RouteContext, data: string): number {
  const message = scanMessage(data)
  if (isFault(message) || message.fault !== null || message.isRequest !== context.message.isRequest) return -1
  if (!mayReplaceMessage(context)) return -1
  context.message = message
  context.edits.clear()
  if (message.isRequest) context.target.uri = message.requestUri
  return 1
}

/** Only failures may become other failures: a provisional response or a success stays what it is. */
function changeStatus(context: RouteContext, code: number, reason: string): number {
  const { message } = context
  if (message.isRequest || code < 100 || code > 699) return -1
  const isSameClass = Math.trunc(code / 100) === Math.trunc(message.statusCode / 100)
  if (!isSameClass && (message.statusCode < 300 || code < 300)) return -1
  context.replyStatus = { code, reason: reason.replace(/[\r\n]+/g, ' ') }
  return 1
}

/** What no message can do without. */
const essential: ReadonlySet<number> = new Set([
  HeaderId.via,
  HeaderId.from,
  HeaderId.to,
  HeaderId.callId,
  HeaderId.cseq,
  HeaderId.contentLength,
  HeaderId.contentType,
  HeaderId.maxForwards,
  HeaderId.contact,
  HeaderId.route,
  HeaderId.recordRoute,
])

function keepHeaders({ message, edits }: RouteContext, pattern: Pattern | undefined): number {
  for (let index = 0; index < message.headerCount; index++) {
    if (essential.has(message.headerId(index)) || pattern?.test(message.headerName(index)) === true) continue
    edits.removeHeader(message, index)
  }
  return 1
}
