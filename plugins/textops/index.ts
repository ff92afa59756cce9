import {
  type ArgumentDeclaration,
  anyRoute,
  compilePattern,
  definePlugin,
  type RouteContext,
} from '../../src/plugin/index.ts'
import {
  expression,
  headerName,
  lines,
  mediaType,
  messageRoutes,
  methods,
  mode,
  nameExpression,
  oneOf,
  replacement,
  requestRoutes,
  substitution,
  which,
} from './arguments.ts'
import * as body from './body.ts'
import * as headers from './headers.ts'
import * as strings from './strings.ts'
import * as text from './text.ts'

/**
 * Kamailio's textops: a message as text. All functions look at the received message; what they change becomes
 * visible with msg_apply_changes() or when the message leaves (measured on Kamailio 5.6.3).
 */
const done = { 1: 'done', '-1': 'nothing to do it to' } as const
const yesNo = { 1: 'yes', '-1': 'no' } as const
const compared = { 1: 'equal', '-1': 'the first comes after the second', '-2': 'before it' } as const
const position = { '>0': 'where it stands, counted from 1', '-1': 'not there' } as const

const first = { name: 'first', type: 'string', doc: 'A string.' } as const satisfies ArgumentDeclaration
const second = { name: 'second', type: 'string', doc: 'Another one.' } as const satisfies ArgumentDeclaration
const contentType = {
  name: 'content_type',
  type: 'string',
  doc: 'Value of Content-Type.',
} as const satisfies ArgumentDeclaration
const bodyText = { name: 'text', type: 'string', doc: 'The content.' } as const satisfies ArgumentDeclaration
const disposition = {
  name: 'disposition',
  type: 'string',
  optional: true,
  doc: 'Value of Content-Disposition.',
} as const satisfies ArgumentDeclaration
const target = {
  name: 'variable',
  type: 'variable',
  doc: 'Where the result goes.',
} as const satisfies ArgumentDeclaration

export default definePlugin({
  name: 'textops',
  summary: 'Search, replace, and headers of a message as text.',
  functions: {
    is_method: {
      in: anyRoute,
      args: [methods],
      returns: yesNo,
      doc: 'Tests the method; in a response, the method of CSeq.',
    },
    is_present_hf: {
      in: anyRoute,
      args: [headerName],
      returns: yesNo,
      aliases: ['is_present_hf_pv'],
      doc: 'Tests whether the message has such a header.',
    },
    is_present_hf_re: {
      in: anyRoute,
      args: [nameExpression],
      returns: yesNo,
      aliases: ['is_present_hf_re_pv'],
      doc: 'Tests whether a header name matches.',
    },
    append_hf: {
      in: messageRoutes,
      args: [lines, { ...headerName, optional: true }],
      returns: { 1: 'done' },
      doc: 'Adds lines after the last header, or after the last one of that name.',
    },
    insert_hf: {
      in: messageRoutes,
      args: [lines, { ...headerName, optional: true }],
      returns: { 1: 'done' },
      doc: 'Adds lines before the first header, or before the first one of that name.',
    },
    append_urihf: {
      in: requestRoutes,
      args: [
        { name: 'prefix', type: 'string', doc: 'Header name and colon.' },
        { name: 'suffix', type: 'string', doc: 'What follows the URI: at least CRLF.' },
      ],
      returns: { 1: 'done' },
      doc: 'Adds a header with the received Request-URI between two texts.',
    },
    append_to_reply: {
      in: ['request', 'failure', 'branch', 'event'],
      args: [lines],
      returns: { 1: 'done' },
      doc: 'Adds lines to the answers that we send ourselves.',
    },
    append_time: {
      in: requestRoutes,
      returns: { 1: 'done' },
      doc: 'Adds a Date header to the answers that we send ourselves.',
    },
    append_time_to_request: {
      in: messageRoutes,
      returns: { 1: 'done' },
      doc: 'Adds a Date header to the message.',
    },
    remove_hf: {
      in: messageRoutes,
      args: [headerName],
      returns: done,
      aliases: ['remove_hf_pv'],
      doc: 'Removes all headers of that name, compact forms included.',
    },
    remove_hf_re: {
      in: anyRoute,
      args: [nameExpression],
      returns: done,
      aliases: ['remove_hf_re_pv'],
      doc: 'Removes all headers whose name matches.',
    },
    remove_hf_exp: {
      in: anyRoute,
      args: [nameExpression, { ...nameExpression, name: 'except', doc: 'Names that match this stay.' }],
      returns: done,
      aliases: ['remove_hf_exp_pv'],
      doc: 'Removes all headers whose name matches the first expression and not the second.',
    },
    remove_hf_idx: {
      in: anyRoute,
      args: [headerName, { name: 'index', type: 'int', doc: '0: the first; -1: the last.' }],
      returns: done,
      doc: 'Removes one header of that name.',
    },
    remove_hf_match: {
      in: anyRoute,
      args: [
        headerName,
        {
          name: 'operator',
          type: 'string',
          prepare: oneOf('eq', 'ne', 'in', 're'),
          doc: 'eq, ne, in or re.',
        },
        { name: 'value', type: 'string', doc: 'What the header value is compared with.' },
      ],
      returns: done,
      doc: 'Removes the headers of that name whose value is equal, is not, contains, or matches.',
    },
    search: {
      in: messageRoutes,
      args: [expression],
      returns: yesNo,
      doc: 'Searches the whole message, start line included.',
    },
    search_body: { in: messageRoutes, args: [expression], returns: yesNo, doc: 'Searches the body.' },
    search_str: {
      in: anyRoute,
      args: [{ name: 'subject', type: 'string', doc: 'The text to search.' }, expression],
      returns: yesNo,
      doc: 'Searches a text.',
    },
    search_hf: {
      in: messageRoutes,
      args: [headerName, expression, which],
      returns: yesNo,
      doc: 'Searches the values of headers of that name.',
    },
    search_append: {
      in: messageRoutes,
      args: [expression, replacement],
      returns: done,
      doc: 'Puts a text after the first match, start line excluded.',
    },
    search_append_body: {
      in: messageRoutes,
      args: [expression, replacement],
      returns: done,
      doc: 'Puts a text after the first match in the body.',
    },
    replace: {
      in: messageRoutes,
      args: [expression, replacement],
      returns: done,
      doc: 'Replaces the first match, start line excluded.',
    },
    replace_all: {
      in: messageRoutes,
      args: [expression, replacement],
      returns: done,
      doc: 'Replaces every match, start line excluded.',
    },
    replace_hdrs: {
      in: anyRoute,
      args: [expression, replacement],
      returns: done,
      doc: 'Replaces the first match in the headers.',
    },
    replace_body: {
      in: messageRoutes,
      args: [expression, replacement],
      returns: done,
      doc: 'Replaces the first match in the body.',
    },
    replace_body_all: {
      in: messageRoutes,
      args: [expression, replacement],
      returns: done,
      doc: 'Replaces every match in the body, line by line.',
    },
    replace_body_atonce: {
      in: messageRoutes,
      args: [expression, replacement],
      returns: done,
      doc: 'Replaces every match in the body, which is one text: `^.+$` is all of it.',
    },
    replace_str: {
      in: anyRoute,
      args: [first, second, mode],
      returns: done,
      doc: 'Replaces a text by another in headers and body.',
    },
    replace_hdrs_str: {
      in: anyRoute,
      args: [first, second, mode],
      returns: done,
      doc: 'Replaces a text by another in the headers.',
    },
    replace_body_str: {
      in: anyRoute,
      args: [first, second, mode],
      returns: done,
      doc: 'Replaces a text by another in the body.',
    },
    subst: {
      in: messageRoutes,
      args: [substitution],
      returns: done,
      doc: 'Substitutes in headers and body.',
    },
    subst_body: { in: messageRoutes, args: [substitution], returns: done, doc: 'Substitutes in the body.' },
    subst_hf: {
      in: messageRoutes,
      args: [headerName, substitution, which],
      returns: done,
      doc: 'Substitutes in the values of headers of that name.',
    },
    subst_uri: { in: requestRoutes, args: [substitution], returns: done, doc: 'Substitutes in $ru.' },
    subst_user: { in: requestRoutes, args: [substitution], returns: done, doc: 'Substitutes in $rU.' },
    has_body: {
      in: anyRoute,
      args: [{ ...mediaType, optional: true }],
      returns: yesNo,
      doc: 'Tests whether there is a body, of that type if one is given.',
    },
    set_body: {
      in: messageRoutes,
      args: [bodyText, contentType],
      returns: { 1: 'done', '-1': 'the text or the type is empty' },
      doc: 'Sets the body; Content-Type and Content-Length follow.',
    },
    set_reply_body: {
      in: requestRoutes,
      args: [bodyText, contentType],
      returns: { 1: 'done', '-1': 'the text or the type is empty' },
      doc: 'Sets the body of the answers that we send ourselves.',
    },
    filter_body: {
      in: messageRoutes,
      args: [mediaType],
      returns: done,
      doc: 'The first part of that type becomes the body. Content-Type stays: change it too.',
    },
    set_body_multipart: {
      in: [...requestRoutes, 'core-reply', 'reply'],
      args: [
        { ...bodyText, optional: true },
        { ...contentType, optional: true },
        { name: 'boundary', type: 'string', optional: true, doc: 'unique-boundary-1 if it is not given.' },
      ],
      returns: done,
      doc: 'Makes the text, or the body that is there, the one part of a multipart body.',
    },
    append_body_part: {
      in: [...requestRoutes, 'core-reply', 'reply'],
      args: [bodyText, contentType, disposition],
      returns: { 1: 'done', '-1': 'the body is no multipart' },
      doc: 'Adds a part to a multipart body.',
    },
    append_body_part_hex: {
      in: [...requestRoutes, 'core-reply', 'reply'],
      args: [bodyText, contentType, disposition],
      returns: { 1: 'done', '-1': 'the body is no multipart, or the text is not hexadecimal' },
      doc: 'The same with content in hexadecimal digits.',
    },
    get_body_part: {
      in: messageRoutes,
      args: [mediaType, target],
      returns: done,
      doc: 'The content of the first part of that type.',
    },
    get_body_part_raw: {
      in: messageRoutes,
      args: [mediaType, target],
      returns: done,
      doc: 'The same with the headers of the part and the delimiter after it.',
    },
    remove_body_part: {
      in: [...requestRoutes, 'core-reply', 'reply'],
      args: [mediaType],
      returns: done,
      doc: 'Removes the first part of that type.',
    },
    is_audio_on_hold: {
      in: messageRoutes,
      returns: { 1: 'null connection address (RFC 2543)', 2: 'sendonly or inactive', '-1': 'not on hold' },
      doc: 'Tests whether an audio stream of the session description is on hold.',
    },
    is_privacy: {
      in: messageRoutes,
      args: [{ name: 'type', type: 'string', doc: '`id`, `user`, ...' }],
      returns: yesNo,
      doc: 'Tests whether the Privacy header has that value.',
    },
    in_list: {
      in: anyRoute,
      args: [
        { name: 'subject', type: 'string', doc: 'What to look for.' },
        { name: 'list', type: 'string', doc: 'Its elements are trimmed.' },
        { name: 'separator', type: 'string', doc: 'One character.' },
      ],
      returns: yesNo,
      doc: 'Tests whether the subject is an element of the list.',
    },
    in_list_prefix: {
      in: anyRoute,
      args: [
        { name: 'subject', type: 'string', doc: 'What to look for.' },
        { name: 'list', type: 'string', doc: 'Its elements are trimmed.' },
        { name: 'separator', type: 'string', doc: 'One character.' },
      ],
      returns: yesNo,
      doc: 'Tests whether an element of the list is a prefix of the subject.',
    },
    cmp_str: { in: anyRoute, args: [first, second], returns: compared, doc: 'Compares two strings.' },
    cmp_istr: { in: anyRoute, args: [first, second], returns: compared, doc: 'Compares without case.' },
    starts_with: {
      in: anyRoute,
      args: [first, second],
      returns: { 1: 'yes', '-1': 'the first is shorter', '-2': 'it starts otherwise' },
      doc: 'Tests whether the first string starts with the second.',
    },
    ends_with: {
      in: anyRoute,
      args: [first, second],
      returns: { 1: 'yes', '-1': 'the first is shorter', '-2': 'it ends otherwise' },
      doc: 'Tests whether the first string ends with the second.',
    },
    str_find: {
      in: anyRoute,
      args: [first, second],
      returns: position,
      doc: 'Finds the second in the first.',
    },
    str_ifind: { in: anyRoute, args: [first, second], returns: position, doc: 'The same without case.' },
    regex_substring: {
      in: anyRoute,
      args: [
        { name: 'subject', type: 'string', doc: 'The text to search.' },
        expression,
        { name: 'index', type: 'int', doc: 'Number of the group; 0 is the whole match.' },
        { name: 'count', type: 'int', doc: 'How many groups there are at most.' },
        target,
      ],
      returns: { 1: 'found and stored', '-1': 'no match, or no such group' },
      doc: 'Stores what a group of the expression matched.',
    },
  },
  setup({ clock }) {
    const date = () => `Date: ${new Date(clock.wall()).toUTCString()}\r\n`
    return {
      functions: {
        is_method: (context, list) => yes(strings.hasMethod(context.message, list)),
        is_present_hf: (context, name) => yes(context.message.find(name) !== -1),
        is_present_hf_re: (context, pattern) => yes(headers.isPresentMatching(context.message, pattern)),
        append_hf: headers.appendHeader,
        insert_hf: headers.insertHeader,
        append_urihf: (context, prefix, suffix) =>
          headers.appendHeader(context, prefix + context.message.requestUri + suffix, undefined),
        append_to_reply: (context, added) => appendToReply(context, added),
        append_time: (context) => appendToReply(context, date()),
        append_time_to_request: (context) => headers.appendHeader(context, date(), undefined),
        remove_hf: headers.removeNamed,
        remove_hf_re: (context, pattern) => headers.removeMatching(context, pattern),
        remove_hf_exp: headers.removeMatching,
        remove_hf_idx: headers.removeAt,
        remove_hf_match: (context, name, operator, value) =>
          headers.removeByValue(context, name, valueTest(operator, value)),
        search: (context, pattern) => text.search(context, pattern, 'message'),
        search_body: (context, pattern) => text.search(context, pattern, 'body'),
        search_str: (_context, subject, pattern) => yes(pattern.test(subject)),
        search_hf: text.searchHeader,
        search_append: (context, pattern, added) =>
          text.appendAfter(context, pattern, added, 'after-start-line'),
        search_append_body: (context, pattern, added) => text.appendAfter(context, pattern, added, 'body'),
        replace: (context, pattern, by) => text.replace(context, pattern, by, 'after-start-line', once),
        replace_all: (context, pattern, by) => text.replace(context, pattern, by, 'after-start-line', every),
        replace_hdrs: (context, pattern, by) => text.replace(context, pattern, by, 'headers', once),
        replace_body: (context, pattern, by) => text.replace(context, pattern, by, 'body', once),
        replace_body_all: (context, pattern, by) => text.replace(context, pattern, by, 'body', every),
        replace_body_atonce: (context, pattern, by) => text.replace(context, pattern, by, 'body', atOnce),
        replace_str: (context, match, by, how) =>
          text.replaceText(context, match, by, how, 'after-start-line'),
        replace_hdrs_str: (context, match, by, how) => text.replaceText(context, match, by, how, 'headers'),
        replace_body_str: (context, match, by, how) => text.replaceText(context, match, by, how, 'body'),
        subst: (context, parsed) => text.substitute(context, parsed, 'after-start-line'),
        subst_body: (context, parsed) => text.substitute(context, parsed, 'body'),
        subst_hf: text.substituteHeader,
        subst_uri: text.substituteUri,
        subst_user: text.substituteUser,
        has_body: (context, mime) => body.hasBody(context.message, mime),
        set_body: body.setBody,
        set_reply_body: setReplyBody,
        filter_body: body.filterBody,
        set_body_multipart: (context, content, type, boundary) =>
          body.setMultipart(context, content, type, boundary ?? 'unique-boundary-1'),
        append_body_part: body.appendPart,
        append_body_part_hex: (context, digits, type, how) => {
          const content = body.decodeHex(digits)
          return content === null ? -1 : body.appendPart(context, content, type, how)
        },
        get_body_part: (context, mime, into) =>
          store(context, into, body.readPart(context.message, mime, false)),
        get_body_part_raw: (context, mime, into) =>
          store(context, into, body.readPart(context.message, mime, true)),
        remove_body_part: body.removePart,
        is_audio_on_hold: (context) => body.audioHold(context.message),
        is_privacy: (context, type) => yes(headers.hasPrivacy(context.message, type)),
        in_list: (_context, subject, list, separator) => strings.inList(subject, list, separator),
        in_list_prefix: (_context, subject, list, separator) =>
          strings.inListPrefix(subject, list, separator),
        cmp_str: (_context, a, b) => strings.compare(a, b),
        cmp_istr: (_context, a, b) => strings.compareFolded(a, b),
        starts_with: (_context, subject, start) => strings.startsWith(subject, start),
        ends_with: (_context, subject, end) => strings.endsWith(subject, end),
        str_find: (_context, subject, part) => strings.find(subject, part),
        str_ifind: (_context, subject, part) => strings.findFolded(subject, part),
        regex_substring: (context, subject, pattern, group, count, into) =>
          group < 0 || group > count
            ? -1
            : store(context, into, strings.matchedGroup(pattern, subject, group)),
      },
    }
  },
})

const once = { isGlobal: false }
const every = { isGlobal: true }
const atOnce = { isGlobal: true, atOnce: true }

function yes(answer: boolean): number {
  return answer ? 1 : -1
}

function appendToReply(context: RouteContext, added: string): number {
  context.replyHeaders += added === '' || added.endsWith('\n') ? added : `${added}\r\n`
  return 1
}

function setReplyBody(context: RouteContext, content: string, type: string): number {
  if (content === '' || type === '') return -1
  context.replyBody = { text: content, contentType: type }
  return 1
}

interface Writable {
  write(context: RouteContext, value: string): boolean
}

function store(context: RouteContext, into: Writable, value: string | null): number {
  return value !== null && into.write(context, value) ? 1 : -1
}

/** The pattern of `re` is known at run time only, so it runs in the linear engine. */
function valueTest(operator: string, expected: string): (value: string) => boolean {
  switch (operator) {
    case 'eq':
      return (value) => value === expected
    case 'ne':
      return (value) => value !== expected
    case 'in':
      return (value) => value.includes(expected)
    default: {
      const pattern = compilePattern(expected, { ignoreCase: true, isTrusted: false })
      return (value) => typeof pattern !== 'string' && pattern.test(value)
    }
  }
}
