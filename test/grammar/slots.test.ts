import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compileRight, link, newContext, preamble, run } from './world.ts'

const codeOf = (script: string) => compileRight(preamble + script).code

describe('a $var is a local variable of the JavaScript', () => {
  test.each([
    ['of the first route, if no other uses it', 'request_route { $var(a) = 1; typed($var(a)); }'],
    [
      'of a route without calls that assigns it first',
      'request_route { route(A); } route[A] { $var(a) = 1; $var(b) = $var(a); }',
    ],
    ['of a failure route', 'failure_route[F] { $var(a) = 1; } request_route { t_on_failure("F"); }'],
  ])('%s', (_what, script) => {
    expect(codeOf(script)).toContain('$a = 1')
  })

  test.each([
    ['two routes use it', 'request_route { $var(a) = 1; route(A); } route[A] { typed($var(a)); }'],
    ['a function may write it', 'request_route { $var(a) = 1; set("$var(a)", 2); }'],
    ['a function evaluates it later', 'request_route { $var(a) = 1; xlog("is $var(a)\\n"); }'],
    ['another name is made at run time', 'request_route { $var(a) = 1; $var(b$rm) = 2; }'],
    ['a parameter reads it', 'modparam("tm", "note", "is $var(a)") request_route { $var(a) = 1; }'],
    [
      'its route calls something and may be called again',
      'request_route { route(A); } route[A] { $var(a) = 1; rc(1); }',
    ],
    [
      'its route shows what an earlier call left',
      'request_route { route(A); } route[A] { if ($var(a)) return; $var(a) = 1; }',
    ],
  ])('not if %s', (_what, script) => {
    expect(codeOf(script)).toMatch(/s\[\d\] = 1/)
  })

  test('not if a format outside of the routes shows it', () => {
    const program = compileRight(`${preamble}request_route { $var(a) = 1; }`)
    const prefix = program.compileFormat('a is $var(a), b is $var(b)')
    const context = newContext(program)
    link(program).route('request', '')?.(context)
    expect(typeof prefix === 'function' && prefix(context as never)).toBe('a is 1, b is 0')
  })
})

test.each([
  ['begins as 0', 'if ($rm == "BYE") $var(a) = "x"; text("$var(a)");', ['"0"']],
  [
    'keeps its value when the expression fails',
    '$var(z) = 0; $var(a) = 7 / $var(z); text("$var(a)");',
    ['"0"'],
  ],
  [
    'is what either way assigned',
    'if ($rm == "BYE") { $var(a) = 1; } else { $var(a) = "x"; } text($var(a) + 1);',
    ['"x1"'],
  ],
  ['a loop may not run', 'while ($rm == "BYE") { $var(a) = "x"; } text($var(a) + 1);', ['"1"']],
  ['no case may fit', 'switch ($rm) { case "BYE": $var(a) = "x"; } text($var(a) + 1);', ['"1"']],
  [
    'a text that is defined adds texts',
    '$var(a) = "4"; text($var(a) + 1); $var(b) = $var(a) - 1; typed($var(b));',
    ['"41"', '3'],
  ],
])('a local $var %s', (_what, body, log) => {
  expect(run(`${preamble}request_route { ${body} }`).context.log).toEqual(log)
})

/** Statements over three variables, as scripts have them. */
const variable = fc.constantFrom('$var(a)', '$var(b)', '$var(c)')
const operand = fc.oneof(variable, fc.constantFrom('1', '"2"', '"x"', '$sp', '$hdr(None)', '$rm'))
const textual = fc.oneof(variable, fc.constantFrom('"x"', '$rm'))
const number = fc.oneof(variable, fc.constantFrom('0', '3', '$sp'))
const joined = (...parts: fc.Arbitrary<string>[]) => fc.tuple(...parts).map((texts) => texts.join(' '))
const expression = fc.oneof(
  operand,
  joined(textual, fc.constant('+'), operand),
  joined(number, fc.constantFrom('+', '-', '*', '/', 'mod'), number),
)
const condition = fc.oneof(
  joined(textual, fc.constantFrom('==', '!='), operand),
  joined(number, fc.constantFrom('==', '<', '>'), number),
)
const { body } = fc.letrec<{ body: string; statement: string }>((tie) => ({
  body: fc.array(tie('statement'), { maxLength: 6 }).map((statements) => statements.join(' ')),
  statement: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.tuple(variable, expression).map(([target, value]) => `${target} = ${value};`),
    expression.map((value) => `typed(${value});`),
    fc.constantFrom('route(A);', 'route(B);', 'text("$var(a)-$var(b)-$var(c)");', 'return;', 'rc(1);'),
    fc
      .tuple(condition, tie('body'), tie('body'))
      .map(([c, yes, no]) => `if (${c}) { ${yes} ; } else { ${no} ; }`),
    fc.tuple(condition, tie('body')).map(([c, inner]) => `while (${c}) { ${inner} break; }`),
    fc
      .tuple(operand, tie('body'), tie('body'))
      .map(
        ([subject, first, other]) =>
          `switch (${subject}) { case "2": ${first} case "x": ${other} break; default: ; }`,
      ),
  ),
}))

test('a script does the same whether its variables are local or not', () => {
  fc.assert(
    fc.property(body, body, body, (first, a, b) => {
      const script = `${preamble}request_route { ${first} ; } route[A] { ${a.replace(/route\(.\);/g, '')} ; } route[B] { ${b.replaceAll('route(B)', 'route(A)')} ; }`
      const shared = `${script} route[NEVER] { $var(x$rm) = 1; }`
      const one = run(script)
      const other = run(shared)
      expect(one.context.log).toEqual(other.context.log)
      expect(one.result).toBe(other.result)
    }),
    { numRuns: 60 },
  )
})
