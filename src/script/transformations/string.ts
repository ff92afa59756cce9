import { asciiLower } from '../../sip/uri.ts'
import {
  plain,
  separatorOr,
  type Transformations,
  withNumberAndText,
  withNumbers,
  withTexts,
} from './declare.ts'
import { strftime } from './strftime.ts'

/** Class `s`: parts of a string and tests on it. Encodings are in encoding.ts, hashes in hash.ts. */
export const stringTransformations: Transformations = {
  's.len': plain('Number of octets.', (value) => value.length),
  's.int': plain('The decimal number that the text is, undefined if it is none.', integerOf),
  's.numeric': plain('Only the digits.', (value) => value.replace(/[^0-9]+/g, '')),
  's.tolower': plain('ASCII letters in lower case.', asciiLower),
  's.toupper': plain('ASCII letters in upper case.', (value) => value.replace(/[a-z]+/g, upper)),
  's.rev': plain('The octets in reverse order.', reversed),

  's.substr': withNumbers(
    'From `offset` (negative: from the end), `length` octets; 0: to the end; negative: so many dropped from the end.',
    ['offset', 'length'],
    substring,
  ),
  's.strip': withNumbers('Without the first `count` octets.', ['count'], (value, count) =>
    value.slice(Math.max(0, count)),
  ),
  's.striptail': withNumbers('Without the last `count` octets.', ['count'], (value, count) =>
    value.slice(0, Math.max(0, value.length - Math.max(0, count))),
  ),
  's.stripto': withTexts('From the first occurrence of a character on.', ['character'], (value, character) =>
    fromFirst(value, character),
  ),
  's.before': withTexts(
    'What stands before the first occurrence of a character; everything if there is none.',
    ['character'],
    (value, character) => upTo(value, value.indexOf(separatorOr(character, ','))),
  ),
  's.rbefore': withTexts(
    'What stands before the last occurrence of a character; everything if there is none.',
    ['character'],
    (value, character) => upTo(value, value.lastIndexOf(separatorOr(character, ','))),
  ),
  's.after': withTexts(
    'What follows the first occurrence of a character; nothing if there is none.',
    ['character'],
    (value, character) => behind(value, value.indexOf(separatorOr(character, ','))),
  ),
  's.rafter': withTexts(
    'What follows the last occurrence of a character; nothing if there is none.',
    ['character'],
    (value, character) => behind(value, value.lastIndexOf(separatorOr(character, ','))),
  ),

  's.select': withNumberAndText(
    'The field of that index (negative: from the end) of a list split at a character; \\s splits at any white space.',
    ['index', 'separator'],
    (value, index, separator) =>
      separator === '\\s'
        ? fieldOf(value.split(whiteSpace), index)
        : fieldAt(value, index, separatorOf(separator)),
  ),
  's.selectws': withNumbers(
    'The field of that index of a list split at white space.',
    ['index'],
    (value, index) => fieldOf(value.split(whiteSpace), index),
  ),
  's.selectsw': withTexts(
    'The first field that starts with `start` of a list split at a character.',
    ['start', 'separator'],
    (value, start, separator) => fieldsOf(value, separator).find((field) => field.startsWith(start)) ?? '',
  ),
  's.count': withTexts('How often a character occurs.', ['character'], (value, character) =>
    occurrences(value, separatorOr(character, ',')),
  ),

  's.replace': withTexts(
    'Every `match` replaced by `replacement`.',
    ['match', '[replacement]'],
    (value, match, by) => (match === '' ? value : value.replaceAll(match, () => by)),
  ),
  's.rm': withTexts('Every `match` removed.', ['match'], (value, match) =>
    match === '' ? value : value.replaceAll(match, ''),
  ),
  's.trim': plain('Without white space at both ends.', (value) => trimEnd(trimStart(value))),
  's.ltrim': plain('Without white space at the start.', trimStart),
  's.rtrim': plain('Without white space at the end.', trimEnd),
  's.rmws': plain('Without any white space.', (value) => value.replace(/[ \t\r\n]+/g, '')),
  's.rmhdws': plain('Folded header lines joined by one space.', (value) =>
    value.replace(/[\r\n]+[ \t]+/g, ' '),
  ),
  's.rmhlws': plain('Folded header lines joined.', (value) => value.replace(/[\r\n]+[ \t]*/g, '')),
  's.unquote': plain('Without surrounding single or double quotes.', (value) => withoutPair(value, `''""`)),
  's.unbracket': plain('Without surrounding (), [], {} or <>.', (value) => withoutPair(value, '()[]{}<>')),

  's.prefixes': withNumbers(
    'All prefixes, comma-separated, up to `longest` octets.',
    ['[longest]'],
    (value, longest) => prefixesOf(value, longest, ''),
  ),
  's.prefixes.quoted': withNumbers('The same, each in single quotes.', ['[longest]'], (value, longest) =>
    prefixesOf(value, longest, "'"),
  ),
  's.charat': withNumbers('The character at an index, negative from the end.', ['index'], (value, index) =>
    value.charAt(indexFromEither(value, index)),
  ),
  's.byteat': withNumbers(
    'The octet at an index as a number, undefined beyond the end.',
    ['index'],
    (value, index) => {
      const octet = value.charCodeAt(indexFromEither(value, index))
      return Number.isNaN(octet) ? null : octet
    },
  ),
  's.fmtlines': withNumbers(
    'Lines of `length` octets, each but the first indented by so many spaces.',
    ['length', 'indent'],
    (value, length, indent) => inLines(value, length, ' '.repeat(boundedIndent(indent))),
  ),
  's.fmtlinet': withNumbers(
    'Lines of `length` octets, each but the first indented by so many tabs.',
    ['length', 'indent'],
    (value, length, indent) => inLines(value, length, '\t'.repeat(boundedIndent(indent))),
  ),
  's.ftime': withTexts(
    'Unix seconds as strftime writes them, in local time.',
    ['format'],
    (value, format) => {
      const seconds = value === '' ? 0 : integerOf(value)
      return seconds === null ? null : strftime(format, new Date(seconds * 1000))
    },
  ),
}

/** Octets that white space is for Kamailio; JavaScript's \s also takes 0xA0, which is a letter's half in UTF-8. */
const whiteSpace = /[ \t\r\n]+/

const upper = (letters: string): string => letters.toUpperCase()

function integerOf(value: string): number | null {
  const number = /^[+-]?[0-9]+$/.test(value) ? Number(value) : Number.NaN
  return Number.isSafeInteger(number) ? number : null
}

function substring(value: string, offset: number, length: number): string | null {
  const start = offset < 0 ? value.length + offset : offset
  if (start < 0 || start >= value.length) return null
  if (length === 0) return value.slice(start)
  const end = length < 0 ? value.length + length : start + length
  return end < start ? null : value.slice(start, end)
}

function fromFirst(value: string, character: string): string {
  const at = value.indexOf(separatorOr(character, ','))
  return at < 0 ? '' : value.slice(at)
}

const upTo = (value: string, at: number): string => (at < 0 ? value : value.slice(0, at))
const behind = (value: string, at: number): string => (at < 0 ? '' : value.slice(at + 1))

const escapedSeparators: Readonly<Record<string, string>> = {
  '\\t': '\t',
  '\\n': '\n',
  '\\r': '\r',
  '\\w': ' ',
  '\\\\': '\\',
}

/** A comma as separator is written `{s.select,1,,}`: the parameter then arrives empty. */
function fieldsOf(value: string, separator: string): string[] {
  if (separator === '\\s') return value.split(whiteSpace)
  return value.split(separatorOf(separator))
}

const separatorOf = (separator: string): string => escapedSeparators[separator] ?? separatorOr(separator, ',')

/** One field without a list of all. */
function fieldAt(value: string, index: number, separator: string): string {
  return index < 0 ? fieldFromEnd(value, -1 - index, separator) : fieldFromStart(value, index, separator)
}

function fieldFromStart(value: string, index: number, separator: string): string {
  let start = 0
  for (let skipped = 0; skipped < index; skipped++) {
    const next = value.indexOf(separator, start)
    if (next === -1) return ''
    start = next + 1
  }
  const end = value.indexOf(separator, start)
  return end === -1 ? value.slice(start) : value.slice(start, end)
}

function fieldFromEnd(value: string, index: number, separator: string): string {
  let end = value.length
  for (let skipped = 0; skipped < index; skipped++) {
    end = end === 0 ? -1 : value.lastIndexOf(separator, end - 1)
    if (end === -1) return ''
  }
  return value.slice(end === 0 ? 0 : value.lastIndexOf(separator, end - 1) + 1, end)
}

function fieldOf(fields: readonly string[], index: number): string {
  return fields.at(index) ?? ''
}

function occurrences(value: string, character: string): number {
  let count = 0
  for (let at = value.indexOf(character); at >= 0; at = value.indexOf(character, at + 1)) count++
  return count
}

function trimStart(value: string): string {
  let start = 0
  while (start < value.length && isSpace(value.charCodeAt(start))) start++
  return value.slice(start)
}

function trimEnd(value: string): string {
  let end = value.length
  while (end > 0 && isSpace(value.charCodeAt(end - 1))) end--
  return value.slice(0, end)
}

function isSpace(octet: number): boolean {
  return octet === 0x20 || octet === 0x09 || octet === 0x0d || octet === 0x0a
}

/** `pairs`: opening and closing characters in turn. */
function withoutPair(value: string, pairs: string): string {
  if (value.length < 2) return value
  const open = pairs.indexOf(value.charAt(0))
  const isPair = open >= 0 && open % 2 === 0 && pairs.charAt(open + 1) === value.charAt(value.length - 1)
  return isPair ? value.slice(1, -1) : value
}

/** All prefixes of a text take the square of its length: beyond this many octets it is no prefix table any more. */
const prefixesMax = 256

function prefixesOf(value: string, longest: number, quote: string): string {
  const count = Math.min(value.length, longest > 0 ? longest : value.length, prefixesMax)
  const prefixes: string[] = []
  for (let end = 1; end <= count; end++) prefixes.push(quote + value.slice(0, end) + quote)
  return prefixes.join(',')
}

const indexFromEither = (value: string, index: number): number => (index < 0 ? value.length + index : index)

const boundedIndent = (indent: number): number => Math.min(Math.max(0, indent), 64)

function inLines(value: string, length: number, indent: string): string | null {
  if (length <= 0) return null
  const lines: string[] = []
  for (let at = 0; at < value.length; at += length) lines.push(value.slice(at, at + length))
  return lines.join(`\r\n${indent}`)
}

function reversed(value: string): string {
  let out = ''
  for (let at = value.length - 1; at >= 0; at--) out += value.charAt(at)
  return out
}
