import { type ArgumentDeclaration, anyRoute, type FunctionDeclaration } from '../../src/plugin/index.ts'
import {
  done,
  expression,
  headerName,
  messageRoutes,
  mode,
  replacement,
  requestRoutes,
  substitution,
  which,
  yesNo,
} from './arguments.ts'

/** Search and replace: text.ts implements them. */
const first = { name: 'first', type: 'string', doc: 'A string.' } as const satisfies ArgumentDeclaration
const second = { name: 'second', type: 'string', doc: 'Another one.' } as const satisfies ArgumentDeclaration

export const textFunctions = {
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
} as const satisfies Record<string, FunctionDeclaration>
