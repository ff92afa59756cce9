import {
  type ArgumentDeclaration,
  ArgumentProblem,
  compilePattern,
  parseSubstitution,
} from '../../src/plugin/index.ts'
import { parseMethods } from './strings.ts'

/** Arguments that several functions of the module share, and the routes that these may stand in. */

export const messageRoutes = ['request', 'core-reply', 'reply', 'failure', 'branch', 'onsend'] as const
export const requestRoutes = ['request', 'failure', 'branch'] as const

export const done = { 1: 'done', '-1': 'nothing to do it to' } as const
export const yesNo = { 1: 'yes', '-1': 'no' } as const

export const headerName = {
  name: 'name',
  type: 'string',
  doc: 'Header name, long or compact, in any case.',
} as const satisfies ArgumentDeclaration

export const nameExpression = {
  name: 're',
  type: 'regex',
  doc: 'Matched against header names.',
} as const satisfies ArgumentDeclaration

export const expression = {
  name: 're',
  type: 'regex',
  doc: 'Matched line by line, without case.',
} as const satisfies ArgumentDeclaration

export const replacement = {
  name: 'text',
  type: 'string',
  doc: 'What stands there instead.',
} as const satisfies ArgumentDeclaration

export const lines = {
  name: 'text',
  type: 'string',
  doc: 'One or more whole header lines, each ended by CRLF (a missing last one is added).',
} as const satisfies ArgumentDeclaration

export const substitution = {
  name: 'expression',
  type: 'literal',
  prepare: (text: string) => parseSubstitution(text, compilePattern),
  doc: "'/re/replacement/flags'; flags i, g, s; \\0 to \\9 and pseudo-variables in the replacement.",
} as const satisfies ArgumentDeclaration

export const methods = {
  name: 'methods',
  type: 'string',
  prepare: parseMethods,
  doc: '`INVITE`, or several: `INVITE|BYE`.',
} as const satisfies ArgumentDeclaration

export const which = {
  name: 'which',
  type: 'string',
  prepare: oneOf('a', 'f', 'l'),
  doc: 'a: all headers of that name, f: the first, l: the last.',
} as const satisfies ArgumentDeclaration

export const mode = {
  name: 'mode',
  type: 'string',
  prepare: oneOf('a', 'f'),
  doc: 'a: every match, f: the first.',
} as const satisfies ArgumentDeclaration

export const mediaType = {
  name: 'mime',
  type: 'string',
  doc: 'Content type: `application/sdp`.',
} as const satisfies ArgumentDeclaration

export function oneOf(...letters: string[]): (text: string) => string {
  return (text) => {
    if (letters.includes(text)) return text
    throw new ArgumentProblem(`unknown value "${text}"`, `one of ${letters.join(', ')}`)
  }
}
