import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { run } from './world.ts'

/**
 * Each file in test/language/semantics is a script and, in its lines `#= text`, what it logs. The scripts use only
 * what Kamailio has too, and the logs are what Kamailio 5.6.3 wrote: ask-kamailio.ts, beside them,
 * asks it again.
 */
const folder = new URL('../language/semantics/', import.meta.url)

describe('statements and operators as Kamailio has them', () => {
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.cfg'))) {
    test(file, () => {
      const script = readFileSync(new URL(file, folder), 'utf8')
      const expected = [...script.matchAll(/^#= ?(.*)$/gm)].map((match) => match[1])
      expect(expected.length).toBeGreaterThan(0)
      expect(run(script).context.log).toEqual(expected)
    })
  }
})
