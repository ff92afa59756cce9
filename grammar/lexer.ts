import type { TokenType } from 'chevrotain'
import { isIpv4, isIpv6 } from './ip-literal.ts'
import {
  Identifier,
  IpAddress,
  NumberedWord,
  NumberToken,
  numberWords,
  punctuationTokens,
  Select,
  StringToken,
  Unknown,
  Variable,
  wordTokens,
} from './tokens.ts'

/**
 * Reads one token at an offset of a text: what a word, a number, a string, a pseudo-variable is. Blanks, comments,
 * directives and the expansion of defines are the business of preprocess.ts.
 */

export interface Lexeme {
  readonly type: TokenType
  readonly end: number
  readonly value: string | number
  readonly problem?: LexicalProblem
}

export interface LexicalProblem {
  readonly code: string
  readonly message: string
  readonly hint: string
}

export function readLexeme(text: string, at: number): Lexeme {
  const character = text.charAt(at)
  if (character === '"') return readDoubleQuoted(text, at)
  if (character === "'") return readSingleQuoted(text, at)
  if (character === '\u00e2') return readCurlyQuoted(text, at) ?? readPunctuation(text, at)
  if (character === '$') return readVariable(text, at)
  if (character === '@') return readSelect(text, at)
  return readIpv6(text, at) ?? readWord(text, at) ?? readPunctuation(text, at)
}

/** The end of the word that starts here, or `at` if none does. */
export function wordEnd(text: string, at: number): number {
  let end = at
  while (end < text.length && isWordCharacter(text.charCodeAt(end))) end++
  return end
}

function isWordCharacter(code: number): boolean {
  return isLetter(code) || isDigit(code)
}

function isLetter(code: number): boolean {
  return (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || code === 95
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57
}

function readWord(text: string, at: number): Lexeme | null {
  const end = wordEnd(text, at)
  if (end === at) return null
  if (isDigit(text.charCodeAt(at))) return readIpv4(text, at) ?? readNumber(text.slice(at, end), end)
  const word = text.slice(at, end)
  if (word === 'msg' && text.startsWith(':len', end) && wordEnd(text, end + 1) === end + 4)
    return { type: wordTokens.get('msg:len') ?? Identifier, end: end + 4, value: 'msg:len' }
  const number = numberWords.get(word)
  if (number !== undefined) return { type: NumberToken, end, value: number }
  return { type: wordTokens.get(word) ?? Identifier, end, value: word }
}

/** `0x1F`, `017`, `101b`, `42`; anything else that starts with a digit is a name such as `3com`. */
function readNumber(word: string, end: number): Lexeme {
  const value = numberValue(word)
  return value === null ? { type: NumberedWord, end, value: word } : { type: NumberToken, end, value }
}

function numberValue(word: string): number | null {
  if (/^0x[0-9a-fA-F]+$/.test(word)) return Number.parseInt(word.slice(2), 16)
  if (/^[01]+b$/.test(word)) return Number.parseInt(word, 2)
  if (/^0[0-7]+$/.test(word)) return Number.parseInt(word, 8)
  return /^(?:0|[1-9][0-9]*)$/.test(word) ? Number(word) : null
}

const dotted = /[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+(?![0-9A-Za-z_])/y

function readIpv4(text: string, at: number): Lexeme | null {
  dotted.lastIndex = at
  const address = dotted.exec(text)?.[0]
  if (address === undefined) return null
  const lexeme = { type: IpAddress, end: at + address.length, value: address }
  if (isIpv4(address)) return lexeme
  const problem = {
    code: 'syntax/ip-address',
    message: 'this is no IPv4 address',
    hint: 'each of the four numbers is between 0 and 255',
  }
  return { ...lexeme, problem }
}

/** The longest IPv6 address has 45 characters. */
const addressRun = /[0-9A-Fa-f:.]{1,46}/y

/** The longest run that can be an IPv6 address, if it is one: it competes with words (`cafe`) and with `:`. */
function readIpv6(text: string, at: number): Lexeme | null {
  addressRun.lastIndex = at
  const run = addressRun.exec(text)?.[0]
  if (run === undefined || !run.includes(':', run.indexOf(':') + 1)) return null
  const end = at + run.length
  if (isWordCharacter(text.charCodeAt(end)) || !isIpv6(run)) return null
  return { type: IpAddress, end, value: run }
}

function readPunctuation(text: string, at: number): Lexeme {
  for (const [symbol, type] of punctuationTokens)
    if (text.startsWith(symbol, at)) return { type, end: at + symbol.length, value: symbol }
  const character = String.fromCodePoint(text.codePointAt(at) ?? 0)
  return { type: Unknown, end: at + character.length, value: character }
}

const unclosedString: LexicalProblem = {
  code: 'syntax/unclosed-string',
  message: 'this string does not end',
  hint: 'close it with the quote that opened it; a quote inside "..." is written \\"',
}

/** What stops a search for the end of a string that somebody forgot to close: better than the end of the file. */
function unclosed(text: string, at: number): Lexeme {
  const newline = text.indexOf('\n', at)
  const end = beforeClosing(text, at + 1, newline === -1 ? text.length : newline)
  return { type: StringToken, end, value: text.slice(at + 1, end), problem: unclosedString }
}

/** For recovery: `);` and `) {` at the end of the line belong to what the string stands in. */
function beforeClosing(text: string, from: number, lineEnd: number): number {
  let end = lineEnd
  while (end > from && ');{ \t\r'.includes(text.charAt(end - 1))) end--
  return end
}

function readSingleQuoted(text: string, at: number): Lexeme {
  const close = text.indexOf("'", at + 1)
  if (close === -1) return unclosed(text, at)
  return { type: StringToken, end: close + 1, value: text.slice(at + 1, close) }
}

function readDoubleQuoted(text: string, at: number): Lexeme {
  const parts: string[] = []
  let start = at + 1
  for (let here = start; here < text.length; ) {
    const character = text.charAt(here)
    if (character === '"') {
      if (isRunaway(text, at, here)) return unclosed(text, at)
      parts.push(text.slice(start, here))
      return { type: StringToken, end: here + 1, value: parts.join('') }
    }
    if (character !== '\\') {
      here++
      continue
    }
    const escaped = readEscape(text, here)
    if (escaped === null) {
      here += 2
      continue
    }
    parts.push(text.slice(start, here), escaped.value)
    start = here = escaped.end
  }
  return unclosed(text, at)
}

/** What no token that may follow a string begins with, so that the quote before it opens another string. */
const insideOfString = /[A-Za-z0-9_$@'<([{^%*.?\\-]/

/**
 * A string may go over lines, but if its last quote stands right before a word, then that quote opens the next
 * string, and the one that is missing belongs to the line where this one began.
 */
function isRunaway(text: string, from: number, close: number): boolean {
  if (!insideOfString.test(text.charAt(close + 1))) return false
  const newline = text.indexOf('\n', from)
  return newline !== -1 && newline < close
}

/** The six curly quotes in UTF-8, as a script that is read octet by octet shows them. */
const curlyQuoted = /\u00e2\u0080[\u0098-\u009e]([^\n"]*?)(?:\u00e2\u0080[\u0098-\u009e]|"|(?=\n|$))/y

/** For recovery, what stands between them is the string that was meant. */
function readCurlyQuoted(text: string, at: number): Lexeme | null {
  curlyQuoted.lastIndex = at
  const match = curlyQuoted.exec(text)
  if (match === null) return null
  const problem = {
    code: 'syntax/typographic-quotes',
    message: 'these are the quotes of a word processor',
    hint: 'write straight ones: "..."',
  }
  return { type: StringToken, end: at + match[0].length, value: match[1] ?? '', problem }
}

const simpleEscapes: ReadonlyMap<string, string> = new Map([
  ['n', '\n'],
  ['r', '\r'],
  ['a', '\x07'],
  ['t', '\t'],
  ['"', '"'],
  ['\\', '\\'],
  ['\n', ''],
])

const numericEscape = /\\(?:x([0-9a-fA-F]{1,2})|([0-7]{2,3}))/y

/** Null for what is no escape: `\+` and `\1` reach a regular expression as they are. */
function readEscape(text: string, at: number): { value: string; end: number } | null {
  const simple = simpleEscapes.get(text.charAt(at + 1))
  if (simple !== undefined) return { value: simple, end: at + 2 }
  if (text.startsWith('\r\n', at + 1)) return { value: '', end: at + 3 }
  numericEscape.lastIndex = at
  const match = numericEscape.exec(text)
  if (match === null) return null
  const code = match[1] === undefined ? Number.parseInt(match[2] ?? '0', 8) : Number.parseInt(match[1], 16)
  return { value: String.fromCharCode(code & 0xff), end: at + match[0].length }
}

const returnCode = /\$(?:retcode|rc|\?)/y

/** `$id`, `$id(...)`, `$(...)`: parentheses balance, the line does not end inside. */
function readVariable(text: string, at: number): Lexeme {
  returnCode.lastIndex = at
  const code = returnCode.exec(text)?.[0]
  const nameEnd = wordEnd(text, at + 1)
  if (code !== undefined && at + code.length >= nameEnd)
    return { type: Variable, end: at + code.length, value: code }
  const end = text.charAt(nameEnd) === '(' ? closingParenthesis(text, nameEnd) : nameEnd
  const value = text.slice(at, end ?? at + 1)
  if (end === null) return unclosedVariable(text, at)
  if (end === at + 1) return { type: Unknown, end, value }
  if (code === undefined) return { type: Variable, end, value }
  return { type: Variable, end, value, problem: returnCodePrefix(value, code) }
}

/** Kamailio's token buffer is no longer either. */
const variableCharactersMax = 8_192

function closingParenthesis(text: string, open: number): number | null {
  let depth = 0
  const last = Math.min(text.length, open + variableCharactersMax)
  for (let at = open; at < last; at++) {
    const code = text.charCodeAt(at)
    if (code === 10) return null
    if (code === 40) depth++
    if (code === 41 && --depth === 0) return at + 1
  }
  return null
}

/** For recovery: what was meant ends before the statement does. */
const unclosedRest = /\$[^;\n]*/y

function unclosedVariable(text: string, at: number): Lexeme {
  unclosedRest.lastIndex = at
  const rest = unclosedRest.exec(text)?.[0] ?? '$'
  const problem = {
    code: 'syntax/unclosed-variable',
    message: 'the parentheses of this variable do not close on this line',
    hint: 'a variable is written on one line: $var(name), $(hdr(From){s.len})',
  }
  return { type: Variable, end: at + rest.length, value: rest, problem }
}

/** Kamailio reads `$rcv(x)` as `$rc` and `v(x)`; in strings and inside `$(...)` it does not. */
function returnCodePrefix(value: string, code: string): LexicalProblem {
  return {
    code: 'syntax/return-code-prefix',
    message: `Kamailio reads this as \`${code}\` followed by \`${value.slice(code.length)}\``,
    hint: `write $(${value.slice(1)}) instead`,
  }
}

const selectPart = '[A-Za-z_][A-Za-z0-9_]*(?:\\[(?:-?[0-9]+|"[^"\\n]*")\\])?'
const select = new RegExp(`@(${selectPart}(?:\\.${selectPart})*)`, 'y')

function readSelect(text: string, at: number): Lexeme {
  select.lastIndex = at
  const match = select.exec(text)
  if (match === null) return { type: Unknown, end: at + 1, value: '@' }
  return { type: Select, end: at + match[0].length, value: match[1] ?? '' }
}
