import { plain, type Transformations, withNumbers, withTexts } from './declare.ts'

/** Class `line`: lines of a text, CR or not before LF. The end of the last line begins no other. */
export const lineTransformations: Transformations = {
  'line.count': plain('How many lines; undefined for an empty text.', (value) =>
    value === '' ? null : linesOf(value).length,
  ),
  'line.at': withNumbers(
    'The line at an index, negative from the end.',
    ['index'],
    (value, index) => linesOf(value).at(index) ?? '',
  ),
  'line.sw': withTexts(
    'The first line that starts so.',
    ['prefix'],
    (value, prefix) => linesOf(value).find((line) => line.startsWith(prefix)) ?? '',
  ),
}

function linesOf(text: string): string[] {
  const lines = text.split('\n')
  if (lines.at(-1) === '') lines.pop()
  return lines.map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line))
}
