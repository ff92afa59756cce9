import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { diagnosticCodes } from '../../grammar/diagnostic-codes.ts'
import { type Diagnostic, diagnosticJson, renderDiagnostic } from '../../grammar/diagnostics.ts'
import { SourceFile } from '../../grammar/source.ts'
import { suggest } from '../../grammar/suggest.ts'

const text = 'request_route {\n\tif (!auth_chalenge("example.com"))\n}\r\n'
const file = new SourceFile('routes/edge.cfg', text)
const start = text.indexOf('auth_chalenge')
const diagnostic: Diagnostic = {
  severity: 'error',
  code: 'script/unknown-function',
  message: 'no loaded module declares this function',
  span: file.span(start, start + 13),
  hint: 'did you mean auth_challenge?',
}
const readFile = (path: string) => (path === file.path ? text : null)

describe('a diagnostic as people read it', () => {
  test('severity, code, place, line, carets, hint; a tab stays a tab', () => {
    expect(renderDiagnostic(diagnostic, readFile)).toBe(
      [
        'error script/unknown-function  routes/edge.cfg:2:7',
        '  2 | \tif (!auth_chalenge("example.com"))',
        '    | \t     ^^^^^^^^^^^^^ no loaded module declares this function',
        'hint   did you mean auth_challenge?',
      ].join('\n'),
    )
  })

  test('without the file, the message still stands', () => {
    expect(renderDiagnostic({ ...diagnostic, span: null }, readFile).split('\n')).toEqual([
      'error script/unknown-function',
      '  no loaded module declares this function',
      'hint   did you mean auth_challenge?',
    ])
    expect(renderDiagnostic(diagnostic, () => null)).toContain('routes/edge.cfg:2:7\n  no loaded module')
  })

  test('what came from a define says so', () => {
    const span = { ...file.span(start, start + 13), via: 'AUTH' }
    expect(renderDiagnostic({ ...diagnostic, span }, readFile)).toContain('(in the text of AUTH)')
  })

  test('a long line is cut round the place', () => {
    const line = `${'x'.repeat(500)}HERE${'y'.repeat(500)}`
    const span = new SourceFile('a', line).span(500, 504)
    const [, code = '', carets = ''] = renderDiagnostic({ ...diagnostic, span }, () => line).split('\n')
    expect(code.length).toBeLessThan(120)
    expect(code.indexOf('HERE')).toBe(carets.indexOf('^'))
  })

  test('in colour, the text is the same', () => {
    const coloured = renderDiagnostic(diagnostic, readFile, { colour: true })
    expect(coloured).toContain('\x1b[31m')
    expect(coloured.replace(/\x1b\[\d+m/g, '')).toBe(renderDiagnostic(diagnostic, readFile))
  })

  test('as JSON', () => {
    expect(diagnosticJson(diagnostic)).toEqual({
      severity: 'error',
      code: 'script/unknown-function',
      message: 'no loaded module declares this function',
      file: 'routes/edge.cfg',
      line: 2,
      column: 7,
      length: 13,
      via: null,
      hint: 'did you mean auth_challenge?',
    })
  })
})

describe('did you mean', () => {
  const names = ['auth_challenge', 'auth_check', 't_relay', 'sl_send_reply', 'xlog', 'ru']
  test.each([
    ['auth_chalenge', 'auth_challenge'],
    ['auth_hceck', 'auth_check'],
    ['T_RELAY', 't_relay'],
    ['send_reply', 'sl_send_reply'],
    ['xlgo', 'xlog'],
    ['completely_different', null],
    ['x', null],
    ['', null],
  ])('%s: %s', (name, expected) => expect(suggest(name, names)).toBe(expected))
})

describe('the catalogue of codes', () => {
  const root = new URL('../../', import.meta.url)
  const sources = ['grammar/', 'src/'].flatMap((folder) =>
    readdirSync(new URL(folder, root), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts') && name !== 'diagnostic-codes.ts')
      .map((name) => readFileSync(new URL(folder + name, root), 'utf8')),
  )
  const code = /(?<=')(?:preprocessor|syntax|script)\/[a-z-]*[a-z](?=')/g
  const used = new Set(sources.flatMap((source) => source.match(code) ?? []))

  test('holds every code that is used, and no other', () =>
    expect(Object.keys(diagnosticCodes).toSorted()).toEqual([...used].toSorted()))

  test('explains each in a sentence', () => {
    for (const meaning of Object.values(diagnosticCodes)) expect(meaning).toMatch(/^\S.*\.$/)
  })
})
