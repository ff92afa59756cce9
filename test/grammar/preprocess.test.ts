import { describe, expect, test } from 'vitest'
import { bounds } from '../../grammar/bounds.ts'
import { preprocess } from '../../grammar/preprocess.ts'
import { Report } from '../../grammar/report.ts'
import { hostOf, mainFile, type World } from './sources.ts'

function read(script: string, world: World = {}) {
  const report = new Report()
  const result = preprocess(
    mainFile,
    hostOf({ ...world, files: { ...world.files, [mainFile]: script } }),
    report,
  )
  return {
    ...result,
    values: result.tokens.map((token) => token.value),
    codes: report.diagnostics.map((diagnostic) => diagnostic.code),
    diagnostics: report.diagnostics,
  }
}

describe('literals', () => {
  test.each<[string, (string | number)[]]>([
    ['0x1F 017 101b 42 0', [31, 15, 5, 42, 0]],
    ['09 0b1 3com', ['09', '0b1', '3com']],
    ['yes true on enable no false off disable', [1, 1, 1, 1, 0, 0, 0, 0]],
    ['inet IPv4 INET6 ipv6', [2, 2, 10, 10]],
    ['"a\\n\\r\\a\\t\\"\\\\"', ['a\n\r\x07\t"\\']],
    ['"\\x41\\101\\07" "\\1\\+\\d"', ['AA\x07\\1\\+\\d']],
    ['"a\\\nb"', ['ab']],
    ['"a\nb"', ['a\nb']],
    ["'a\\n\"' 'b'", ['a\\n"', 'b']],
    ['"a" "b"\n  "c"', ['abc']],
    ['"a" # no\n "b"', ['a', 'b']],
    ['"a" /* no */ "b"', ['a', 'b']],
    ['"a" \'b\' "c"', ['a', 'b', 'c']],
    [
      '$var(a(b)c) $(ru{s.len}) $fU $rc $? $retcode',
      ['$var(a(b)c)', '$(ru{s.len})', '$fU', '$rc', '$?', '$retcode'],
    ],
    ['$rct $retcodes', ['$rct', '$retcodes']],
    ['@a.b["x"].c[-1] @x', ['a.b["x"].c[-1]', 'x']],
    ['10.0.0.1 ::1 2001:db8::1 cafe:1', ['10.0.0.1', '::1', '2001:db8::1', 'cafe', ':', 1]],
    ['msg:len msg :len', ['msg:len', 'msg', ':', 'len']],
    ['(int)a (str)b ( int )', ['(int)', 'a', '(str)', 'b', '(', 'int', ')']],
    ['a \\\n b', ['a', 'b']],
  ])('%s', (script, expected) => expect(read(script).values).toEqual(expected))

  test.each([
    ['"abc', 'syntax/unclosed-string'],
    ["'abc", 'syntax/unclosed-string'],
    ['$var(abc\n)', 'syntax/unclosed-variable'],
    ['/* a /* b */', 'syntax/unclosed-comment'],
    ['999.1.1.1', 'syntax/ip-address'],
    ['$rcv(x)', 'syntax/return-code-prefix'],
  ])('%s is wrong', (script, code) => expect(read(script).codes).toEqual([code]))
})

describe('comments', () => {
  test.each<[string, (string | number)[]]>([
    ['a # b\nc // d\ne', ['a', 'c', 'e']],
    ['/* a /* b */ c */ d', ['d']],
    ['# a /* b\nc', ['c']],
    ['/* # */ a', ['a']],
    ['#!KAMAILIO\n#!SER\na', ['a']],
    ['# !ifdef A\na', ['a']],
    ['#!nonsense A\na', ['a']],
    ['!!a', ['!', '!', 'a']],
    ['/* #!ifdef A */ a', ['a']],
  ])('%s', (script, expected) => {
    const { values, codes } = read(script)
    expect(values).toEqual(expected)
    expect(codes).toEqual([])
  })

  test('a misspelt directive is pointed at', () => {
    const { diagnostics } = read('#!ifdfe A\n')
    expect(diagnostics.map(({ code, hint }) => [code, hint])).toEqual([
      ['preprocessor/unknown-directive', 'did you mean #!ifdef?'],
    ])
  })
})

describe('defines', () => {
  test.each<[string, (string | number)[]]>([
    ['#!define A 5\nA', [5]],
    ['!!define A 5\nA', [5]],
    ['#!def A x y\nA', ['x', 'y']],
    ['#!define A\n[A]', ['[', ']']],
    ['#!define A 5  \r\nA;', [5, ';']],
    ['#!define A 1 \\\n + 2\nA', [1, '+', 2]],
    ['#!define A B\n#!define B 3\nA', [3]],
    ['#!define A 1\n"A" \'A\' $var(A)', ['A', 'A', '$var(A)']],
    ['#!define A "x"\nA "y"', ['xy']],
    ['#!define exit drop\nexit', ['exit']],
    ['#!define debug 1\ndebug', ['debug']],
    ['#!define A 5 # five\nA b\nc', [5, 'c']],
    ['x #!define A 5\nA', ['x', 5]],
    ['#!define A 5\nevent_route[A:A] A', ['event_route', '[', 'A', ':', 'A', ']', 5]],
    ['#!define A b\nroute[A]', ['route', '[', 'b', ']']],
    ['#!trydef A 1\n#!trydefine A 2\nA', [1]],
    ['#!define A 1\n#!redef A 2\nA', [2]],
    ['#!redefine A 2\nA', [2]],
    ['#!define A 1\n#!undef A\nA', ['A']],
    ['#!tryundef A\nA', ['A']],
    ['#!defexp A 2 * (3 + 4) ** 1\nA', [14]],
    ['#!defexps A 1 + 1\nA', ['2']],
    ['#!defenv HOME\nHOME', ['root']],
    ['#!defenv A=HOME\nA', ['root']],
    ['#!defenvs A=HOME\nA', ['root']],
    ['#!trydefenv NOPE\n#!trydefenvs A=NOPE\nA', ['A']],
    ['FROM_COMMAND_LINE', [7]],
    ['KAMAILIO_VERSION', [5006003]],
  ])('%s', (script, expected) => {
    const world = { environment: { HOME: 'root' }, defines: { FROM_COMMAND_LINE: '7' } }
    expect(read(script, world).values).toEqual(expected)
  })

  test.each([
    ['#!define A\n#!define A\n', 'preprocessor/already-defined'],
    ['#!define A-B 5\n', 'preprocessor/name'],
    ['#!define 5A 5\n', 'preprocessor/name'],
    ['#!define\n', 'preprocessor/argument'],
    ['#!undef A\n', 'preprocessor/not-defined'],
    ['#!defenv NOPE\n', 'preprocessor/no-environment-variable'],
    ['#!define A 5 # five\n', 'preprocessor/comment-in-define'],
    ['#!define exit drop\n', 'preprocessor/reserved-name'],
    ['#!defexp A 1 /\n', 'preprocessor/expression'],
    ['#!define A A\nA', 'preprocessor/endless-define'],
    ['#!define A B\n#!define B A\nA', 'preprocessor/endless-define'],
  ])('%s is pointed at', (script, code) => expect(read(script).codes).toEqual([code]))

  test('a # inside a string is no comment', () => expect(read('#!define A "a#b"\nA').codes).toEqual([]))

  test('there is a bound on their number', () => {
    const many = Array.from({ length: bounds.definesMax + 1 }, (_, index) => `#!define A${index}\n`)
    expect(new Set(read(many.join('')).codes)).toEqual(new Set(['preprocessor/too-many-defines']))
  })

  test.each(['x', ''])('texts that double do not fill the memory: %s', (last) => {
    const doubling = Array.from(
      { length: 30 },
      (_, index) => `#!define A${index} A${index + 1} A${index + 1}\n`,
    )
    expect(read(`${doubling.join('')}#!define A30 ${last}\nA0`).codes).toEqual(['preprocessor/too-long'])
  })
})

describe('conditions', () => {
  test.each<[string, (string | number)[]]>([
    ['#!define A\n#!ifdef A\na\n#!else\nb\n#!endif\nc', ['a', 'c']],
    ['#!ifdef A\na\n#!else\nb\n#!endif\nc', ['b', 'c']],
    ['#!ifndef A\na\n#!endif', ['a']],
    ['#!ifdef A\n#!ifndef B\na\n#!else\nb\n#!endif\n#!else\nc\n#!endif', ['c']],
    ['  #!ifdef A\nit\'s "no token /* \n  #!endif  \nb', ['b']],
    ['#!ifdef A\n# text #!endif\nb', ['b']],
    ['#!ifdef A # why\nx\n#!endif\nb', ['b']],
    ['#!define A\n#!ifdef A // why\nx\n#!endif\nb', ['x', 'b']],
    ['#!ifdef A\n#!ifdef\n#!endif\nb', ['b']],
    ['#!ifdef KAMAILIO_5_6_3\n#!ifdef KAMAILIO_5\na\n#!endif\n#!endif', ['a']],
    ['#!ifdef A\n#!define B 1\n#!endif\nB', ['B']],
    ['loadmodule "tm.so"\n#!ifdef MOD_tm\na\n#!endif', ['loadmodule', 'tm.so', 'a']],
    ['loadmodule "/usr/lib/tm"\n#!ifdef MOD_tm\na\n#!endif', ['loadmodule', '/usr/lib/tm', 'a']],
    ['loadmodule("tm.so")\n#!ifdef MOD_tm\na\n#!endif', ['loadmodule', '(', 'tm.so', ')', 'a']],
    ['#!ifexp KAMAILIO_VERSION >= 5006000 && !(A == 1)\na\n#!endif', ['a']],
    ['#!define A "x"\n#!ifexp A == "x"\na\n#!endif', ['a']],
    ['#!define A\n#!ifexp A + B == 1\na\n#!endif', ['a']],
    ['#!ifexp 7 % 4 == 3 && 2 ** 3 == 8\na\n#!endif', ['a']],
    ['#!ifexp ""\na\n#!else\nb\n#!endif', ['b']],
  ])('%s', (script, expected) => {
    const { values, codes } = read(script)
    expect(values).toEqual(expected)
    expect(codes).toEqual([])
  })

  test.each([
    ['#!ifdef A\n', ['preprocessor/unclosed-condition']],
    ['#!endif\n', ['preprocessor/no-condition']],
    ['#!else\n', ['preprocessor/no-condition']],
    ['#!ifdef A\n#!else\n#!else\n#!endif\n', ['preprocessor/second-else']],
    ['#!ifdef\n#!endif\n', ['preprocessor/argument']],
    ['#!ifdef A || B\n#!endif\n', ['preprocessor/rest-ignored']],
    ['#!ifexp 1 +\n#!endif\n', ['preprocessor/expression']],
    ['#!ifexp 1 / 0\n#!endif\n', ['preprocessor/expression']],
    ['#!ifdef A\n#!endif # A\n', ['preprocessor/unclosed-condition', 'preprocessor/only-a-comment']],
  ])('%s is pointed at', (script, codes) => expect(read(script).codes.toSorted()).toEqual(codes.toSorted()))

  test('there is a bound on their depth', () => {
    const deep = bounds.conditionsMax + 1
    const script = '#!ifdef A\n'.repeat(deep) + '#!endif\n'.repeat(deep)
    expect(read(script).codes).toEqual(['preprocessor/too-deep'])
  })
})

describe('substitutions', () => {
  test.each<[string, (string | number)[]]>([
    ['#!subst "/a/b/"\n"aa"', ['ba']],
    ['#!subst "/a/b/g"\n"aa"', ['bb']],
    ['#!subst "/A/b/gi"\n"aa"', ['bb']],
    ['#!subst "!(.)x!<\\1\\0>!g"\n"axbx"', ['<aax><bbx>']],
    ['#!subst "/x*/-/g"\n"ab"', ['-a-b-']],
    ['#!subst "/NAME/alice/g"\n$var(NAME) \'NAME\' NAME', ['$var(alice)', 'alice', 'NAME']],
    ['"a"\n#!subst "/a/b/"\n"a"', ['a', 'b']],
    ['#!subst "/ab/c/"\n"a" "b"', ['c']],
    ['#!substdef "!A!5!g"\nA "A"', [5, '5']],
    ['#!substdefs "!A!5!g"\nA; "A"', ['5', ';', '5']],
    ['#!substdef "!A!$env(HOME)!g"\nA "$var(A)"', ['root', '$var(root)']],
    ['#!define B "x"\n#!substdef "/A/$def(B)y/g"\n"A"', ['xy']],
    ['#!subst \'/a/b/\'\n"a"', ['b']],
    ['#!define A a\n#!subst "/a/b/"\nA', ['a']],
  ])('%s', (script, expected) => {
    const { values, codes } = read(script, { environment: { HOME: 'root' } })
    expect(values).toEqual(expected)
    expect(codes).toEqual([])
  })

  test.each([
    ['#!subst "/a/b"\n', 'preprocessor/substitution'],
    ['#!subst "/a/b/x"\n', 'preprocessor/substitution'],
    ['#!subst "/(/b/"\n', 'preprocessor/substitution'],
    ['#!subst /a/b/\n', 'preprocessor/argument'],
    ['#!define A 5\n#!substdef "/A/6/"\n', 'preprocessor/already-defined'],
    ['#!substdef "/A/$ru/"\n', 'preprocessor/no-value-yet'],
  ])('%s is pointed at', (script, code) => expect(read(script).codes).toEqual([code]))

  test('a rule that doubles does not fill the memory', () => {
    // A rule goes through the rules before it, so this one must not match its own text.
    const rule = '#!subst "/[^\\x01-\\x60b-\\x7f]/\\0\\0/g"\n'
    const script = `${rule.repeat(40)}"a"`
    expect(read(script).codes).toEqual(['preprocessor/substitution-grows'])
  })
})

describe('files', () => {
  const files = {
    '/etc/other.cfg': 'b',
    '/etc/deep/one.cfg': 'include_file "two.cfg"\nc',
    '/etc/deep/two.cfg': 'd',
    '/etc/self.cfg': 'include_file "self.cfg"',
    '/etc/closes.cfg': '#!endif\n',
  }

  test.each<[string, (string | number)[]]>([
    ['a include_file "other.cfg" c', ['a', 'b', 'c']],
    ['#!include_file "other.cfg"\nc', ['b', 'c']],
    ['!!import_file "other.cfg"\nc', ['b', 'c']],
    ['import_file\n"nope.cfg"\nc', ['c']],
    ['include_file"deep/one.cfg"\ne', ['d', 'c', 'e']],
    ['#!ifdef A\ninclude_file "nope.cfg"\n#!endif\nc', ['c']],
    ['#!ifdef A\nb\n#!else\ninclude_file "closes.cfg"\nc', ['c']],
  ])('%s', (script, expected) => {
    const { values, codes } = read(script, { files })
    expect(values).toEqual(expected)
    expect(codes).toEqual([])
  })

  test.each([
    ['include_file "nope.cfg"', 'preprocessor/no-file'],
    ["import_file 'other.cfg'", 'preprocessor/file-name'],
    ['import_file other.cfg', 'preprocessor/file-name'],
    ['include_file "self.cfg"', 'preprocessor/include-cycle'],
    ['include_file "main.cfg"', 'preprocessor/include-cycle'],
  ])('%s is pointed at', (script, code) => expect(read(script, { files }).codes).toEqual([code]))

  test('there is a bound on their depth', () => {
    const chain = Array.from({ length: 12 }, (_, index) => [`/etc/${index}`, `include_file "${index + 1}"`])
    const codes = read('include_file "0"', { files: Object.fromEntries(chain) }).codes
    expect(codes).toEqual(['preprocessor/too-many-files'])
  })

  test('every file that was read is named once, in order', () => {
    const { files: read_ } = read('include_file "deep/one.cfg"\nimport_file "deep/two.cfg"', { files })
    expect(read_).toEqual([mainFile, '/etc/deep/one.cfg', '/etc/deep/two.cfg'])
  })
})

describe('every token knows the place that a person wrote', () => {
  test('in the main file, an include, and where a define is used', () => {
    const script = '#!define URL "sqlite:///a"\n#!define BOTH 1 URL\nx\n  include_file "other.cfg"\n\tBOTH y'
    const { tokens } = read(script, { files: { '/etc/other.cfg': '\n b' } })
    const places = tokens.map(({ span }) =>
      `${span.file}:${span.line}:${span.column} ${span.via ?? ''}`.trim(),
    )
    expect(places).toEqual([
      '/etc/main.cfg:3:1',
      '/etc/other.cfg:2:2',
      '/etc/main.cfg:5:2 BOTH',
      '/etc/main.cfg:5:2 URL',
      '/etc/main.cfg:5:7',
    ])
    const [, , , , y] = tokens
    expect(script.slice(y?.span.start, y?.span.end)).toBe('y')
  })

  test('joined strings reach from the first quote to the last', () => {
    const script = '  "a"\n  "b"'
    const [joined] = read(script).tokens
    expect(script.slice(joined?.span.start, joined?.span.end)).toBe('"a"\n  "b"')
  })
})
