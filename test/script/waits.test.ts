import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { compiler } from '../../grammar/compile.ts'
import type { FunctionDeclaration, ModuleDeclaration } from '../../grammar/declarations.ts'
import { builtInPlugins } from '../../src/plugin/registry.ts'
import { loadScript } from '../../src/script/load.ts'

/**
 * Functions that wait only if edges share the location table (docs/decisions/0025-edges.md): nobody else pays for it. The
 * scripts that people start from, and those whose speed is measured, are compiled as if such functions never waited.
 */
const neverWaiting: typeof compiler = {
  ...compiler,
  compileScript: (parsed, modules) =>
    compiler.compileScript(
      parsed,
      modules.map(
        (module) => module && withFunctions(module, (declaration) => withoutCondition(declaration)),
      ),
    ),
}

function withFunctions(
  module: ModuleDeclaration,
  change: (declaration: FunctionDeclaration) => FunctionDeclaration,
): ModuleDeclaration {
  const functions = Object.entries(module.functions).map(([name, one]) => [name, change(one)])
  return { ...module, functions: Object.fromEntries(functions) }
}

function withoutCondition(declaration: FunctionDeclaration): FunctionDeclaration {
  if (typeof declaration.waits !== 'object') return declaration
  const { waits: _, ...rest } = declaration
  return rest
}

/** What the scripts of the benchmark are started with. */
const defines = new Map([
  ['PORT', '5060'],
  ['CHILDREN', '1'],
  ['RESULTS', '/tmp'],
])

async function programOf(path: string, text: string, by = compiler) {
  const { loaded, diagnostics } = await loadScript({ path, text, compiler: by, defines })
  if (loaded === null)
    throw new Error(diagnostics.map(({ severity, message }) => `${severity} ${message}`).join('\n'))
  return loaded.program
}

const root = new URL('../../', import.meta.url).pathname
const scripts = ['routes', 'bench/scripts'].flatMap((folder) =>
  readdirSync(`${root}${folder}`, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.cfg'))
    .map((name) => `${folder}/${name}`),
)

describe.each(scripts)('%s', (name) => {
  const path = `${root}${name}`
  const text = readFileSync(path, 'latin1')

  test('without a store it is the same code, octet for octet, as without functions that may wait', async () => {
    const program = await programOf(path, text)
    const plain = await programOf(path, text, neverWaiting)
    expect(program.code).toBe(plain.code)
    expect(program.routes).toEqual(plain.routes)
  })
})

test('with a store the routes that look at bindings wait, and no others', async () => {
  const path = `${root}routes/registrar.cfg`
  const text = readFileSync(path, 'latin1')
  const store = text.replace(
    /(loadmodule "usrloc(\.so)?")/,
    '$1\nmodparam("usrloc", "store", "redis://127.0.0.1:6379/0")',
  )
  expect(store).not.toBe(text)
  const before = await programOf(path, text)
  const program = await programOf(path, store)
  const waiting = (all: typeof program) =>
    all.routes.filter(({ isAsync }) => isAsync).map(({ kind, name }) => `${kind} ${name}`)
  expect(waiting(before)).toEqual([])
  expect(waiting(program)).toContain('request ')
  expect(waiting(program).length).toBeLessThan(program.routes.length)
})

test('whatever a function waits for is a parameter that there is', async () => {
  const registry = builtInPlugins()
  const conditions: string[] = []
  for (const name of registry.names) {
    const { functions = {} } = await registry.load(name)
    for (const { waits } of Object.values(functions)) {
      if (typeof waits !== 'object') continue
      const { params = {} } = await registry.load(waits.module)
      expect(Object.keys(params)).toContain(waits.param)
      conditions.push(`${waits.module}.${waits.param}`)
    }
  }
  expect(conditions).toContain('usrloc.store')
})
