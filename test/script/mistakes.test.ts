import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { compiler } from '../../grammar/compile.ts'
import { renderDiagnostics } from '../../grammar/diagnostics.ts'
import { loadScript } from '../../src/script/load.ts'

/**
 * Scripts with the mistakes that people make, checked as `viaduct check` does: one error for each mistake, where it
 * is, in words that help. Each file in test/language/mistakes is a script, a line of dashes, and what is said of it;
 * `npx vitest run test/script/mistakes.test.ts -u` writes it anew.
 */
const folder = new URL('../language/mistakes/', import.meta.url)
const dashes = `${'-'.repeat(20)}\n`

test.each(readdirSync(folder))('%s', async (name) => {
  const path = fileURLToPath(new URL(name, folder))
  const [script = ''] = readFileSync(path, 'latin1').split(dashes)
  const readFile = (file: string) => (file === name ? script : null)
  const { diagnostics } = await loadScript({ path: name, text: script, readFile, compiler })
  const said = renderDiagnostics(diagnostics, readFile)
  await expect(`${Buffer.from(script, 'latin1')}${dashes}${said}\n`).toMatchFileSnapshot(path)
})
