import { SourceMap } from 'node:module'
import { describe, expect, test } from 'vitest'
import { CodeLines, variableLengthQuantity } from '../../grammar/source-map.ts'
import { compile, preamble } from './world.ts'

describe('base 64 numbers of variable length', () => {
  test.each([
    [0, 'A'],
    [1, 'C'],
    [-1, 'D'],
    [15, 'e'],
    [16, 'gB'],
    [-16, 'hB'],
    [511, '+f'],
    [1_000_000, 'gkh9B'],
  ])('%d', (number, expected) => {
    expect(variableLengthQuantity(number)).toBe(expected)
  })
})

describe('the map of a program', () => {
  test('leads from each statement to its line of the script, through includes', () => {
    const { program } = compile({
      'main.cfg': `${preamble}include_file "route.cfg"\nrequest_route {\n  xlog("first");\n  route(A);\n}\n`,
      'route.cfg': 'route[A] {\n\n    xlog("second");\n}\n',
    })
    const code = program?.code ?? ''
    const map = new SourceMap(JSON.parse(program?.sourceMap ?? '{}'))
    const placeOf = (text: string) => {
      const before = code.slice(0, code.indexOf(text))
      const line = before.split('\n').length - 1
      const entry = map.findEntry(line, 2)
      return 'originalSource' in entry
        ? [entry.originalSource, entry.originalLine + 1, entry.originalColumn + 1]
        : null
    }
    const first = preamble.split('\n').length + 2
    expect(placeOf('if (ends(c, c.rc = f0(c, h1)))')).toEqual(['main.cfg', first, 3])
    expect(placeOf('c.rc = route_A(c)')).toEqual(['main.cfg', first + 1, 3])
    expect(placeOf('if (ends(c, c.rc = f0(c, h0)))')).toEqual(['route.cfg', 3, 5])
    expect(placeOf('function route_A')).toEqual(['route.cfg', 1, 1])
  })

  test('names absolute paths as URLs', () => {
    const lines = new CodeLines()
    lines.add('one', { file: '/etc/a b.cfg', start: 0, end: 1, line: 1, column: 1 })
    expect(JSON.parse(lines.sourceMap()).sources).toEqual(['file:///etc/a%20b.cfg'])
  })

  test('leaves room for the lines that stand above', () => {
    const lines = new CodeLines()
    lines.add('one', { file: 'a', start: 0, end: 1, line: 1, column: 1 })
    expect(JSON.parse(lines.sourceMap(2))).toEqual({
      version: 3,
      sources: ['a'],
      names: [],
      mappings: ';;AAAA',
    })
  })
})
