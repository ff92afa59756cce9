import { asciiLower } from '../../sip/uri.ts'
import { separatorOr, type Transformations, withNumberAndText, withTexts } from './declare.ts'

/**
 * Class `param`: a list such as `a=1;b="x";c`. Values come without their quotes. A text that is no such list (a
 * name with blanks in it) has no parameters at all, as in Kamailio.
 */
export const paramTransformations: Transformations = {
  'param.value': withTexts(
    'The value of a parameter, "" if it has none.',
    ['name', '[delimiter]'],
    (value, name, by) =>
      listOf(value, by)?.find((param) => asciiLower(param.name) === asciiLower(name))?.value ?? '',
  ),
  'param.in': withTexts(
    '1 if there is a parameter of that name, else 0.',
    ['name', '[delimiter]'],
    (value, name, by) =>
      listOf(value, by)?.some((param) => asciiLower(param.name) === asciiLower(name)) ? 1 : 0,
  ),
  'param.valueat': withNumberAndText(
    'The value at an index, negative from the end.',
    ['index', '[delimiter]'],
    (value, index, by) => listOf(value, by)?.at(index)?.value ?? '',
  ),
  'param.name': withNumberAndText(
    'The name at an index, negative from the end.',
    ['index', '[delimiter]'],
    (value, index, by) => listOf(value, by)?.at(index)?.name ?? '',
  ),
  'param.count': withTexts(
    'How many there are; undefined for what is no list.',
    ['[delimiter]'],
    (value, by) => listOf(value, by)?.length ?? null,
  ),
}

interface Param {
  name: string
  value: string
}

/** Null if the text is no list of parameters. */
function listOf(text: string, delimiter: string): Param[] | null {
  const parts = splitOutsideQuotes(text, separatorOr(delimiter, ';'))
  const params: Param[] = []
  for (const part of parts) {
    if (part.trim() === '') continue
    const equals = part.indexOf('=')
    const name = (equals < 0 ? part : part.slice(0, equals)).trim()
    if (name === '' || /[ \t\r\n"<>]/.test(name)) return null
    params.push({ name, value: equals < 0 ? '' : unquoted(part.slice(equals + 1).trim()) })
  }
  return params.length === 0 ? null : params
}

function splitOutsideQuotes(text: string, delimiter: string): string[] {
  const parts: string[] = []
  let quote = ''
  let start = 0
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at)
    if (quote !== '') {
      if (character === '\\') at++
      else if (character === quote) quote = ''
    } else if (character === '"' || (character === "'" && text.charAt(at - 1) === '=')) quote = character
    else if (character === delimiter) {
      parts.push(text.slice(start, at))
      start = at + 1
    }
  }
  parts.push(text.slice(start))
  return parts
}

function unquoted(value: string): string {
  const first = value.charAt(0)
  const isQuoted = value.length > 1 && (first === '"' || first === "'") && value.endsWith(first)
  return isQuoted ? value.slice(1, -1) : value
}
