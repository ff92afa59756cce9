import { type ArgumentDeclaration, anyRoute, type FunctionDeclaration } from '../../src/plugin/index.ts'
import { expression, methods, yesNo } from './arguments.ts'

/** Comparisons and lists: strings.ts implements them. */
const compared = { 1: 'equal', '-1': 'the first comes after the second', '-2': 'before it' } as const
const position = { '>0': 'where it stands, counted from 1', '-1': 'not there' } as const
const first = { name: 'first', type: 'string', doc: 'A string.' } as const satisfies ArgumentDeclaration
const second = { name: 'second', type: 'string', doc: 'Another one.' } as const satisfies ArgumentDeclaration
const target = {
  name: 'variable',
  type: 'variable',
  doc: 'Where the result goes.',
} as const satisfies ArgumentDeclaration

export const stringFunctions = {
  is_method: {
    in: anyRoute,
    args: [methods],
    returns: yesNo,
    doc: 'Tests the method; in a response, the method of CSeq.',
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
    returns: { 1: 'yes', '-1': 'no' },
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
      { name: 'count', type: 'int', doc: 'How many groups there are at most, the whole match among them.' },
      target,
    ],
    returns: { 1: 'found and stored', '-1': 'no match, or no such group' },
    doc: 'Stores what a group of the expression matched.',
  },
} as const satisfies Record<string, FunctionDeclaration>
