import { compilePattern, definePlugin, type RouteContext } from '../../src/plugin/index.ts'
import * as body from './body.ts'
import { bodyFunctions } from './body-functions.ts'
import { headerFunctions } from './header-functions.ts'
import * as headers from './headers.ts'
import { stringFunctions } from './string-functions.ts'
import * as strings from './strings.ts'
import * as text from './text.ts'
import { textFunctions } from './text-functions.ts'

/**
 * Kamailio's textops: a message as text. All functions look at the received message; what they change becomes
 * visible with msg_apply_changes() or when the message leaves (measured on Kamailio 5.6.3).
 */
export default definePlugin({
  name: 'textops',
  summary: 'Search, replace, and headers of a message as text.',
  functions: { ...headerFunctions, ...textFunctions, ...bodyFunctions, ...stringFunctions },
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
        append_time_to_request: (context) => headers.insertBelowVia(context, date()),
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
          group < 0 || group >= count
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
