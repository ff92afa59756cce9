import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { JsonFrames } from '../../src/control/frames.ts'

/** What comes out, wherever the text is cut; the last one is what is left at the end. */
function framesOf(text: string, cut = text.length): string[] {
  const frames = new JsonFrames()
  const found: string[] = []
  for (let at = 0; at < text.length; at += cut) {
    frames.add(text.slice(at, at + cut))
    for (let one = frames.next(); one !== null; one = frames.next()) found.push(one)
  }
  const rest = frames.rest()
  return rest === null ? found : [...found, rest]
}

describe('JSON texts of a stream', () => {
  test.each([
    ['one a line', '{"a":1}\n{"b":2}\n', ['{"a":1}', '{"b":2}']],
    ['nothing between them', '{"a":1}[2]{"b":3}', ['{"a":1}', '[2]', '{"b":3}']],
    ['over several lines', '{\n\t"a": {\n\t\t"b": []\n\t}\n}\n', ['{\n\t"a": {\n\t\t"b": []\n\t}\n}']],
    ['brackets in strings', '{"a":"}]\\"}"}\n{}', ['{"a":"}]\\"}"}', '{}']],
    ['empty lines and blanks', '\n \r\n\t{}\n\n', ['{}']],
    ['what is no JSON ends with its line', 'nonsense {}\n{"a":1}', ['nonsense {}', '{"a":1}']],
    ['brackets that do not match end where they would', '{]\n{}', ['{]', '{}']],
    ['what has no end is left', '{"a":', ['{"a":']],
    ['nothing', '', []],
  ])('%s', (_, text, expected) => {
    expect(framesOf(text)).toEqual(expected)
  })

  test('are the same wherever the stream is cut', () => {
    const value = fc.oneof(fc.dictionary(fc.string(), fc.jsonValue()), fc.array(fc.jsonValue()))
    const written = fc.tuple(value, fc.constantFrom(0, 2), fc.constantFrom('', '\n', ' \r\n'))
    fc.assert(
      fc.property(fc.array(written), fc.integer({ min: 1, max: 9 }), (values, cut) => {
        const texts = values.map(([one, spaces]) => JSON.stringify(one, null, spaces))
        const stream = texts.map((text, i) => text + values[i]?.[2]).join('')
        expect(framesOf(stream, cut)).toEqual(texts)
      }),
    )
  })

  test('are bounded: what is longer never comes out', () => {
    const frames = new JsonFrames(10)
    frames.add('{"a":12345')
    expect(frames.next()).toBeNull()
    expect(frames.isTooLong).toBe(false)
    frames.add('6}')
    expect(frames.next()).toBeNull()
    expect(frames.isTooLong).toBe(true)
  })
})
