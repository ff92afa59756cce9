import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { bounds } from '../../grammar/bounds.ts'
import { renderDiagnostics } from '../../grammar/diagnostics.ts'
import { parseFile } from '../../grammar/parse.ts'
import { ScriptParser } from '../../grammar/parser.ts'
import { summarise } from './ast-summary.ts'
import { codesOf, hostOf, mainFile, parseText } from './sources.ts'

/**
 * Each file in test/language/syntax is a script, a line of dashes, and what is expected of it: its diagnostics as
 * people see them, an empty line, its AST in short. `npx vitest run test/grammar/syntax.test.ts -u` writes them anew.
 */
const folder = new URL('../language/syntax/', import.meta.url)
const dashes = `${'-'.repeat(20)}\n`

describe('test/language/syntax', () => {
  for (const name of readdirSync(folder)) {
    test(name, async () => {
      const path = fileURLToPath(new URL(name, folder))
      const script = readFileSync(path, 'utf8').split(dashes)[0] ?? ''
      const parsed = parseText(script)
      const shown = renderDiagnostics(parsed.diagnostics, () => script).replaceAll(mainFile, name)
      const found = [shown, summarise(parsed.script)].filter((part) => part !== '').join('\n\n')
      await expect(`${script}${dashes}${found}\n`).toMatchFileSnapshot(path)
    })
  }
})

const stock = '/etc/kamailio/kamailio.cfg'
const features = [
  'MYSQL AUTH IPAUTH USRLOCDB PRESENCE MSGREBUILD NAT NATSIPPING RTPENGINE PSTN ALIASDB SPEEDDIAL',
  'MULTIDOMAIN TLS JSONRPC ANTIFLOOD BLOCK3XX BLOCK401407 VOICEMAIL ACCDB DEBUG',
]

describe.skipIf(!existsSync(stock))('the stock script of Kamailio, if it is installed', () => {
  const names = features.flatMap((line) => line.split(' ')).map((feature) => `WITH_${feature}`)
  test.each([[[]], [names], ...names.map((name) => [[name, 'WITH_MYSQL']])])(
    'with %j',
    (defines: string[]) => {
      const host = {
        ...hostOf({ defines: Object.fromEntries(defines.map((name) => [name, ''])) }),
        readFile: (path: string) => (existsSync(path) ? readFileSync(path, 'latin1') : null),
      }
      const parsed = parseFile(stock, host)
      expect(parsed.diagnostics).toEqual([])
      expect(parsed.script.items.filter((item) => item.type === 'route').length).toBeGreaterThan(15)
    },
  )
})

describe('modules', () => {
  test('are requested in order, by the name that modparam uses', () => {
    const { modules } = parseText(
      'loadmodule "tm.so"\nloadmodule "/usr/lib/sl.so"\nloadmodule "./mine.ts"\nloadmodule "@us/learn"\n' +
        '#!define KIND sql\nloadmodulex "db_$def(KIND)ite.so"\n',
    )
    expect(modules.map(({ name, text, file }) => [name, text, file])).toEqual([
      ['tm', 'tm.so', mainFile],
      ['sl', '/usr/lib/sl.so', mainFile],
      ['mine', './mine.ts', mainFile],
      ['learn', '@us/learn', mainFile],
      ['db_sqlite', 'db_sqlite.so', mainFile],
    ])
  })

  test('know the file that asks for them', () => {
    const files = { '/etc/sub/a.cfg': 'loadmodule "./b.ts"' }
    const { modules } = parseText('include_file "sub/a.cfg"', { files })
    expect(modules.map(({ file }) => file)).toEqual(['/etc/sub/a.cfg'])
  })

  test('are loaded once', () =>
    expect(codesOf(parseText('loadmodule "tm.so"\nloadmodule "tm"'))).toEqual(['syntax/duplicate-module']))
})

test('a script that cannot be read', () => {
  const parsed = parseFile('/nowhere.cfg', hostOf({}))
  expect(codesOf(parsed)).toEqual(['preprocessor/no-file'])
  expect(parsed.script.items).toEqual([])
})

describe('what is too deep or too long is refused', () => {
  const many = 50_000
  test.each([
    ['parentheses', `$x = ${'('.repeat(many)}1${')'.repeat(many)};`, 'syntax/too-deep'],
    ['blocks', `${'{'.repeat(many)};${'}'.repeat(many)}`, 'syntax/too-deep'],
    ['ifs without blocks', `${'if 1 '.repeat(many)} exit;`, 'syntax/too-deep'],
    ['operators in front', `$x = ${'- '.repeat(many)}1;`, 'syntax/too-deep'],
    ['calls', `${'f('.repeat(many)}${')'.repeat(many)};`, 'syntax/too-deep'],
    ['operators', `$x = 1${' + 1'.repeat(many)};`, 'syntax/too-long'],
    ['else-ifs', `${'if (1) exit; else '.repeat(bounds.chainMax + 1)} exit;`, 'syntax/too-long'],
  ])('%s', (_, statement, code) =>
    expect(codesOf(parseText(`request_route { ${statement} }`))).toEqual([code]),
  )

  test('many statements after each other are neither', () => {
    const script = `request_route { ${'if (1) { $x = 1; } '.repeat(2_000)} }`
    expect(codesOf(parseText(script))).toEqual([])
  })
})

test('the grammar is consistent: no ambiguous choice, no left recursion', () => {
  expect(() => new ScriptParser(false)).not.toThrow()
})

describe('laws', () => {
  const words = [
    'request_route',
    'route',
    '[',
    ']',
    '{',
    '}',
    '(',
    ')',
    ';',
    ',',
    ':',
    '=',
    '==',
    '=~',
    '!',
    '!!',
    '-',
    '+',
    '.',
    'if',
    'else',
    'switch',
    'case',
    'default',
    'while',
    'return',
    'exit',
    'drop',
    'break',
    'uri',
    'myself',
    'src_ip',
    '10.0.0.0',
    '/',
    '8',
    '::1',
    '"a"',
    "'b'",
    '"',
    "'",
    '$var(x)',
    '$x',
    '$(',
    '@a.b',
    '@',
    '%',
    '\\',
    'A',
    'B',
    '5',
    'loadmodule',
    'modparam',
    'listen',
    'alias',
    'flags',
    'socket',
    'udp',
    'advertise',
    'name',
    'desc',
    '\n',
    '/*',
    '*/',
    '#',
    '\n#!define A B\n',
    '\n#!define B (\n',
    '\n#!ifdef A\n',
    '\n#!else\n',
    '\n#!endif\n',
    '\n#!subst "/a/b/g"\n',
    '\n#!ifexp A == 1\n',
    '\ninclude_file "main.cfg"\n',
    'é',
    '\u0000',
    '(int)',
    'defined',
    'strlen(',
  ]
  const scripts = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc.array(fc.constantFrom(...words), { maxLength: 80 }).map((parts) => parts.join(' ')),
    fc.array(fc.constantFrom(...words), { maxLength: 80 }).map((parts) => parts.join('')),
  )

  test('parsing never throws, and every place lies in the text', () => {
    fc.assert(
      fc.property(scripts, (script) => {
        for (const { span, message, hint } of parseText(script).diagnostics) {
          expect(message).not.toBe('')
          expect(hint).not.toBe('')
          if (span === null) continue
          expect(span.start).toBeGreaterThanOrEqual(0)
          expect(span.start).toBeLessThanOrEqual(script.length)
          const lineStart = script.lastIndexOf('\n', span.start - 1) + 1
          if (span.start < script.length) expect(span.column).toBe(span.start - lineStart + 1)
        }
      }),
      { numRuns: 400 },
    )
  })
})
