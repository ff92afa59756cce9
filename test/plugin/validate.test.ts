import { describe, expect, test } from 'vitest'
import { definePlugin } from '../../src/plugin/plugin.ts'
import { createRegistry } from '../../src/plugin/registry.ts'
import { declarationProblems, instanceProblems } from '../../src/plugin/validate.ts'

const right = {
  name: 'hello',
  summary: 'Greets.',
  params: { greeting: { type: 'string', default: 'hi', doc: 'What to say.' } },
  functions: {
    greet: {
      in: ['request'],
      args: [{ name: 'whom', type: 'string', optional: true, doc: 'Whom.' }],
      returns: { '1': 'always' },
      aliases: ['hail'],
      doc: 'Greets.',
    },
  },
  variables: { greeted: { type: 'int', assignable: true, doc: 'How many.' } },
} as const

/** The right declaration with one member replaced. */
function problemsWith(part: string, member: unknown): string[] {
  return declarationProblems({ ...right, [part]: member })
}

const f = (more: object) => ({ f: { in: ['request'], returns: { '1': 'x' }, doc: 'F.', ...more } })

describe('a declaration', () => {
  test('that is right has no problems', () => {
    expect(declarationProblems(right)).toEqual([])
  })

  test.each([
    ['no object', undefined, null, 'not an object'],
    ['a name with a dash', 'name', 'he-llo', 'must be an identifier'],
    ['no summary', 'summary', '', 'summary must be a text'],
    ['an unknown member', 'colour', 'red', 'there is no member colour'],
    ['a setup that is none', 'setup', 5, 'setup must be a function'],
    ['uses that are no names', 'uses', [1], 'uses must be an array'],
    ['params that are a list', 'params', [], 'params must be an object'],
    ['a param without a doc', 'params', { p: { type: 'int' } }, 'params.p: doc'],
    [
      'a param of unknown type',
      'params',
      { p: { type: 'number', doc: 'P.' } },
      'type "number" must be one of',
    ],
    [
      'a default of another type',
      'params',
      { p: { type: 'int', default: 'x', doc: 'P.' } },
      'default "x" is not of type int',
    ],
    [
      'a param with an unknown member',
      'params',
      { p: { type: 'int', doc: 'P.', min: 1 } },
      'there is no member min',
    ],
    ['a function that may stand nowhere', 'functions', f({ in: [] }), 'in must list'],
    ['an unknown kind of route', 'functions', f({ in: ['reqest'] }), 'no kind of route "reqest"'],
    ['a wait for nothing that is known', 'functions', f({ waits: 'usrloc.store' }), 'waits must be true, or'],
    [
      'a wait without its parameter',
      'functions',
      f({ waits: { module: 'usrloc' } }),
      'waits must be true, or',
    ],
    ['no return codes', 'functions', f({ returns: undefined }), 'returns must say'],
    [
      'an argument of unknown type',
      'functions',
      f({ args: [{ name: 'a', type: 'text', doc: 'A.' }] }),
      'argument 1',
    ],
    [
      'a required argument after an optional one',
      'functions',
      f({
        args: [
          { name: 'a', type: 'int', optional: true, doc: 'A.' },
          { name: 'b', type: 'int', doc: 'B.' },
        ],
      }),
      'argument 2 is required, but a before it is optional',
    ],
    [
      'an alias that is a name',
      'functions',
      { ...f({}), g: { ...f({ aliases: ['f'] }).f } },
      "alias f is f's already",
    ],
    [
      'two equal aliases',
      'functions',
      { ...f({ aliases: ['x'] }), g: { ...f({ aliases: ['x'] }).f } },
      "alias x is f's already",
    ],
    ['a variable of unknown type', 'variables', { v: { type: 'float', doc: 'V.' } }, 'type "float"'],
    [
      'a transformation without a class',
      'transformations',
      { len: { apply: () => 1, doc: 'L.' } },
      'class.name',
    ],
    [
      'a transformation that does nothing',
      'transformations',
      { 's.x': { doc: 'X.' } },
      'apply must be a function',
    ],
    ['an event without a doc', 'events', { 'x:y': {} }, 'events.x:y: doc'],
  ])('%s', (_what, part, member, message) => {
    const problems = part === undefined ? declarationProblems(member) : problemsWith(part, member)
    expect(problems.join('\n')).toContain(message)
  })

  test('definePlugin throws a TypeError that tells everything at once', () => {
    const define = () => definePlugin({ ...right, name: '5', summary: '' } as never)
    expect(define).toThrow(TypeError)
    expect(define).toThrow(/identifier.*summary/)
  })
})

describe('what setup returns', () => {
  const one = (): number => 1
  const instance = {
    functions: { greet: one },
    variables: { greeted: { read: one, write: () => true } },
  }

  test.each([
    ['all that was declared', instance, []],
    ['nothing', null, ['setup must return an object']],
    ['no function', { ...instance, functions: {} }, ['function greet is declared']],
    [
      'another function',
      { ...instance, functions: { ...instance.functions, wave: () => 1 } },
      ['function wave, which is not declared'],
    ],
    ['no read', { ...instance, variables: { greeted: {} } }, ['no read function']],
    [
      'no write for an assignable one',
      { ...instance, variables: { greeted: { read: one } } },
      ['no write function'],
    ],
    ['an undeclared rpc method', { ...instance, rpc: { 'a.b': () => 1 } }, ['rpc method a.b']],
    [
      'inherited names do not count as declared',
      { ...instance, functions: { ...instance.functions, toString: () => 1 } },
      ['function toString'],
    ],
  ])('%s', (_what, returned, messages) => {
    const problems = instanceProblems(right as never, returned as never)
    expect(problems).toHaveLength(messages.length)
    for (const [index, message] of messages.entries()) expect(problems[index]).toContain(message)
  })
})

describe('the built-in plugins', async () => {
  const registry = createRegistry()
  const plugins = await Promise.all(
    registry.names.map(async (name) => [name, await registry.load(name)] as const),
  )

  test.each(plugins)('%s is declared right, under the name of its folder', (name, definition) => {
    expect(declarationProblems(definition)).toEqual([])
    expect(definition.name).toBe(name)
  })

  test('those that every script loads are there', () => {
    expect(registry.names).toEqual(
      expect.arrayContaining([
        'tm',
        'sl',
        'rr',
        'pv',
        'xlog',
        'kex',
        'corex',
        'cfgutils',
        'textops',
        'registrar',
      ]),
    )
    expect(registry.has('../src')).toBe(false)
  })
})
