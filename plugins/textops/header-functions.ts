import { anyRoute, type FunctionDeclaration } from '../../src/plugin/index.ts'
import {
  done,
  headerName,
  lines,
  messageRoutes,
  nameExpression,
  oneOf,
  requestRoutes,
  yesNo,
} from './arguments.ts'

/** Functions of textops on headers: headers.ts implements them. */

export const headerFunctions = {
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
    returns: { 1: 'removed', 2: 'there is no such header' },
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
    returns: { 1: 'removed', '-2': 'no header has such a value' },
    doc: 'Removes the headers of that name whose value is equal, is not, contains, or matches.',
  },
  is_privacy: {
    in: messageRoutes,
    args: [{ name: 'type', type: 'string', doc: '`id`, `user`, ...' }],
    returns: yesNo,
    doc: 'Tests whether the Privacy header has that value.',
  },
} as const satisfies Record<string, FunctionDeclaration>
