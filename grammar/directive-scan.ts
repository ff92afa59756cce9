import type { Directive } from './directives.ts'
import type { SourceFile } from './source.ts'

/** Finds what lies between tokens: blanks, block comments, and the places where directives stand. */

/** Blank, tab, carriage return, backspace, line end, and a line end that is escaped. */
export function blankEnd(text: string, from: number): number {
  let at = from
  for (;;) {
    const code = text.charCodeAt(at)
    if (code === 32 || (code >= 8 && code <= 10) || code === 13) at++
    else if (code === 92 && text.charCodeAt(at + 1) === 10) at += 2
    else if (code === 92 && text.startsWith('\r\n', at + 1)) at += 3
    else if (code === 0xfeff && at === 0) at++
    else return at
  }
}

/** Comments nest. -1: it does not end. */
export function blockCommentEnd(text: string, from: number): number {
  const border = /\/\*|\*\//g
  border.lastIndex = from
  let depth = 0
  for (let match = border.exec(text); match !== null; match = border.exec(text)) {
    depth += match[0] === '/*' ? 1 : -1
    if (depth === 0) return border.lastIndex
  }
  return -1
}

const prefix = /#!|!!/g

/** Where the next `#!` or `!!` stands; -1 if nowhere. */
export function prefixFrom(text: string, from: number): number {
  prefix.lastIndex = from
  return prefix.exec(text)?.index ?? -1
}

const directiveStart = /(?:#!|!!)([A-Za-z_][A-Za-z0-9_]*)[ \t]*/y

/** What looks like a directive at an offset: null if no word follows `#!` there. */
export function directiveAt(file: SourceFile, at: number): Directive | null {
  const { text } = file
  directiveStart.lastIndex = at
  const match = directiveStart.exec(text)
  const word = match?.[1]
  if (match === null || word === undefined) return null
  const from = at + match[0].length
  return {
    word,
    text,
    from,
    lineEnd: continuedLineEnd(text, from),
    span: file.span(at, at + 2 + word.length),
    spanOf: (start: number, end: number) => file.span(start, end),
  }
}

/** The end of the line, or of the lines that it is continued on by a backslash. */
function continuedLineEnd(text: string, from: number): number {
  for (let at = text.indexOf('\n', from); at !== -1; at = text.indexOf('\n', at + 1)) {
    const last = text.charAt(at - 1) === '\r' ? at - 2 : at - 1
    if (last < from || text.charAt(last) !== '\\') return at
  }
  return text.length
}

export function isLineEnd(text: string, at: number): boolean {
  return at >= text.length || text.charAt(at) === '\n' || text.startsWith('\r\n', at)
}
