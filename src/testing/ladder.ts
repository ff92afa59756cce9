import { type Cast, type LadderOptions, type LadderScript, playLadder } from './play.ts'

/**
 * A ladder as a test: what the protocol promises, told by the people in it.
 *
 *     ladder('a MESSAGE reaches bob', 'routes/registrar.cfg', async ({ alice, bob }) => {
 *       await bob.registers()
 *       await alice.sends('MESSAGE sip:bob@example.com', { body: 'hello' })
 *       await bob.receives('MESSAGE')
 *       await bob.sends(200)
 *       await alice.receives(200)
 *     })
 *
 * Runs under Vitest, and under Node.js' own test runner where there is no Vitest.
 */
type Play<Name extends string> = (cast: Cast<Name>) => Promise<void> | void

const { test } = await testRunner()

export function ladder(title: string, script: LadderScript, play: Play<never>): void
export function ladder<Name extends string = never>(
  title: string,
  script: LadderScript,
  options: LadderOptions<Name>,
  play: Play<Name>,
): void
export function ladder<Name extends string>(
  title: string,
  script: LadderScript,
  optionsOrPlay: LadderOptions<Name> | Play<Name>,
  play?: Play<Name>,
): void {
  const options = typeof optionsOrPlay === 'function' ? {} : optionsOrPlay
  const body = typeof optionsOrPlay === 'function' ? optionsOrPlay : play
  if (body === undefined) throw new TypeError(`ladder '${title}' has no play`)
  test(title, async () => {
    await playLadder<Name>(script, options, body)
  })
}

async function testRunner(): Promise<{ test: (title: string, body: () => Promise<void>) => unknown }> {
  return '__vitest_worker__' in globalThis ? await import('vitest') : await import('node:test')
}
