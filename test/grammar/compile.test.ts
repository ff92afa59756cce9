import { readdirSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compiler } from '../../grammar/compile.ts'
import { compile, compileRight, link, newContext, preamble } from './world.ts'

describe('the program', () => {
  const program = compileRight(
    `#!define LIMIT 3\nflags A:5\n${preamble}modparam("pv", "varset", "a=i:1")\nmodparam("pv", "varset", "b=i:2")
     request_route { if ($var(x) < LIMIT) { setflag(A); t_on_failure("F"); } route(ONE); }
     route[ONE] { $var(y) = $avp(x); } failure_route[F] { ; } onreply_route { ; } onreply_route[R] { ; }
     event_route[tm:local-request] { ; }`,
  )

  test('names what must be bound, each thing once', () => {
    expect(program.functions).toEqual([
      { module: '', name: 'setflag' },
      { module: 'tm', name: 't_on_failure' },
    ])
    expect(program.variables).toEqual([{ module: 'pv', name: 'avp' }])
    expect(program.variableSlots).toBe(0)
    expect(program.defines.get('LIMIT')).toBe('3')
    expect(program.files).toEqual(['main.cfg'])
  })

  test('keeps every setting of a parameter, in order', () => {
    expect(program.parameters.map(({ value }) => value)).toEqual(['a=i:1', 'b=i:2'])
  })

  test('finds its routes by kind and name', () => {
    const linked = link(program)
    const found = program.routes.map(({ kind, name }) => `${kind} ${name}`)
    expect(found).toEqual([
      'request ',
      'request ONE',
      'failure F',
      'core-reply ',
      'reply R',
      'event tm:local-request',
    ])
    for (const { kind, name } of program.routes) expect(linked.route(kind, name)).toBeTypeOf('function')
    expect(linked.route('request', 'TWO')).toBeUndefined()
    expect(linked.route('branch', '')).toBeUndefined()
  })

  test('does not link without an implementation', () => {
    expect(() => program.link({ functions: [], variables: [], host: {} as never })).toThrow(
      'the script needs what nobody implements: core setflag, tm t_on_failure, pv avp',
    )
  })

  test('compileScript takes what parseScript gave and nothing else', () => {
    expect(() => compiler.compileScript({ modules: [], diagnostics: [], files: [] }, [])).toThrow(TypeError)
  })
})

describe('laws', () => {
  const folder = new URL('../language/semantics/', import.meta.url)
  const scripts = readdirSync(folder)
    .filter((name) => name.endsWith('.cfg'))
    .map((name) => readFileSync(new URL(name, folder), 'utf8'))

  const spoilt = fc
    .record({
      script: fc.constantFrom(...scripts),
      cuts: fc.array(
        fc.record({
          at: fc.double({ min: 0, max: 1, noNaN: true }),
          length: fc.nat(12),
          instead: fc.constantFrom(
            '',
            '$',
            '(',
            '}',
            ';',
            '"',
            '$var(',
            '{s.len}',
            '[*]',
            ' == $null',
            '1',
            'x',
          ),
        }),
        { minLength: 1, maxLength: 4 },
      ),
    })
    .map(({ script, cuts }) =>
      cuts.reduce((text, { at, length, instead }) => {
        const from = Math.floor(at * text.length)
        return text.slice(0, from) + instead + text.slice(from + length)
      }, script),
    )

  test('a spoilt script gives diagnostics or a program that links and ends, and never throws', () => {
    fc.assert(
      fc.property(spoilt, (script) => {
        const { program, diagnostics } = compile(script)
        if (program === null) {
          expect(diagnostics.some(({ severity }) => severity === 'error')).toBe(true)
          return
        }
        const route = link(program).route('request', '')
        expect(route?.(newContext(program))).toBeTypeOf(route === undefined ? 'undefined' : 'number')
      }),
      { numRuns: 150 },
    )
  })
})
