import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { compiler } from '../../grammar/compile.ts'
import { renderDiagnostics } from '../../grammar/diagnostics.ts'
import { loadScript } from '../../src/script/engine.ts'
import { ladder } from '../../src/testing/index.ts'

/** What the pages show is what happens: their examples run, their error messages are those of the checker. */
const hello = 'docs/examples/hello.cfg'

describe('docs/plugins.md: a plugin of your own', () => {
  ladder('hello.cfg greets, by name', hello, async ({ alice, log }) => {
    await alice.sends('MESSAGE sip:x@192.0.2.1')
    await alice.receives('200 Good morning alice')
    await alice.sends('OPTIONS sip:x@192.0.2.1')
    await alice.receives('200 Good morning alice')
    expect(log.messages('info')).toContain('greeted 2 times')
  })

  ladder('two messages per hour are the quota of each user', hello, async ({ alice, bob, advance }) => {
    for (const status of [200, 200, 429]) {
      await alice.sends('MESSAGE sip:x@192.0.2.1')
      await alice.receives(status)
    }
    await bob.sends('MESSAGE sip:x@192.0.2.1')
    await bob.receives(200)
    await advance(3_601_000)
    await alice.sends('MESSAGE sip:x@192.0.2.1')
    await alice.receives(200)
  })

  test('within_quota("noon") is the error that the page shows', async () => {
    const text = readFileSync(hello, 'utf8').replace('within_quota("day")', 'within_quota("noon")')
    expect(await diagnosticsOf(hello, text)).toBe(errorShownIn('docs/plugins.md'))
  })
})

describe('README.md', () => {
  const script = exampleIn('README.md', '# README:')

  test('its script has no faults', async () => {
    expect(await diagnosticsOf('my.cfg', script)).toBe('')
  })

  ladder('its script registers and connects', { script }, { domain: '192.0.2.1' }, async ({ alice, bob }) => {
    await alice.sends('MESSAGE sip:bob@192.0.2.1')
    await alice.receives('404 Not Found')
    await bob.registers()
    await alice.sends('MESSAGE sip:bob@192.0.2.1', { body: 'hello' })
    expect((await bob.receives(`MESSAGE ${bob.contact}`)).body).toBe('hello')
    await bob.sends(200)
    await alice.receives(200)
  })

  test('a mistake in it is the error that the page shows', async () => {
    const text = withoutNumbers(script).replace('is_method', 'is_methd')
    expect(await diagnosticsOf('my.cfg', text)).toBe(errorShownIn('README.md'))
  })
})

async function diagnosticsOf(path: string, text: string): Promise<string> {
  const { diagnostics } = await loadScript({ path, text, compiler })
  return renderDiagnostics(diagnostics, (file) => (file.endsWith(path) ? text : null)).replaceAll(
    `${process.cwd()}/`,
    '',
  )
}

/** The indented block that begins with this comment, without the comment and the indentation. */
function exampleIn(page: string, marker: string): string {
  const block = indentedBlocks(page).find((one) => one.startsWith(marker))
  if (block === undefined) throw new Error(`${page} has no example marked '${marker}'`)
  return block.slice(block.indexOf('\n') + 1)
}

function errorShownIn(page: string): string {
  const block = indentedBlocks(page).find((one) => one.startsWith('error '))
  if (block === undefined) throw new Error(`${page} shows no error`)
  return block
}

function indentedBlocks(page: string): string[] {
  return readFileSync(page, 'utf8')
    .split(/\n(?! {4}|\n)/)
    .flatMap((part) => part.split(/\n\n(?= {4})/))
    .flatMap((part) => [...part.matchAll(/(?:^ {4}.*(?:\n|$)|^\n(?= {4}))+/gm)])
    .map(([block]) => block.replace(/^ {4}/gm, '').trimEnd())
}

/** The numbers that the text below the example speaks of. */
function withoutNumbers(script: string): string {
  return script.replace(/ +# \d+$/gm, '')
}
