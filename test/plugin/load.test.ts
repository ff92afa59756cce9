import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { compiler } from '../../grammar/compile.ts'
import { loadScript } from '../../src/script/engine.ts'

describe('a module in a directory named with -L', () => {
  const directory = mkdtempSync(join(tmpdir(), 'viaduct-plugins-'))
  const plugin = (name: string) =>
    `export default { name: '${name}', summary: 'A test.', functions: { ${name}: { in: ['request'], returns: { 1: 'yes' }, doc: 'Says yes.' } }, setup: () => ({ functions: { ${name}: () => 1 } }) }\n`
  beforeAll(() => {
    writeFileSync(join(directory, 'acme.ts'), plugin('acme'))
    mkdirSync(join(directory, 'folder'))
    writeFileSync(join(directory, 'folder', 'index.js'), plugin('folder'))
  })
  afterAll(() => rmSync(directory, { recursive: true }))

  const load = (text: string, pluginDirectories: readonly string[]) =>
    loadScript({ path: '/tmp/x.cfg', text, compiler, pluginDirectories })

  test.each([
    ['a file', 'acme'],
    ['a file, as Kamailio names modules', 'acme.so'],
    ['a folder', 'folder'],
  ])('is found: %s', async (_, name) => {
    const function_ = name.replace('.so', '')
    const { loaded, diagnostics } = await load(`loadmodule "${name}"\nrequest_route { ${function_}(); }\n`, [
      directory,
    ])
    expect(diagnostics).toEqual([])
    expect(loaded?.plugins.map(({ definition }) => definition.name)).toEqual([function_])
  })

  test('is not found without it, and the diagnostic stands at the statement', async () => {
    const { loaded, diagnostics } = await load('loadmodule "acme.so"\nrequest_route { exit; }\n', [])
    expect(loaded).toBeNull()
    expect(diagnostics).toMatchObject([{ code: 'script/unknown-module', span: { line: 1, column: 1 } }])
  })
})
