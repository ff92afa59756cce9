import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Lab, requireProgram } from '../lab.ts'
import { startOracle, stopOracle } from '../oracle.ts'
import { openEndpoints, play, type RequestOptions, request, type Side, type Talk } from './talk.ts'

/**
 * Kamailio 5.6.3 as the oracle: the same script, the same packets, and what each server put on the wire compared word
 * by word, once ports, branches, tags and nonces have their names. Where we differ on purpose the case says so and why;
 * docs/differences.md lists them.
 */
export interface Case {
  readonly title: string
  readonly talk: (talk: Talk) => Promise<void>
  /** What Viaduct changes on purpose in Kamailio's transcript, and why. */
  readonly differs?: Difference | undefined
}

export interface Difference {
  readonly why: string
  readonly replace: readonly (readonly [RegExp, string])[]
}

/** A few statements, tried on one request: what they return, and what leaves, is compared. */
export interface Probe extends RequestOptions {
  readonly title?: string
  /** Statements of a route; its return code shows in `X-Code`. */
  readonly script: string
  readonly method?: string
  /** The last word on the request before it is sent. */
  readonly change?: (text: string) => string
  /** Neither forwards nor answers: do not wait for long. */
  readonly isSilent?: true
  readonly differs?: Difference
}

/** A script of this folder, or of another by its whole path, or the text of one. */
export interface Script {
  readonly file?: string
  readonly text?: string
  readonly defines?: Readonly<Record<string, string | number>>
  /** Addresses of A towards Kamailio and towards Viaduct, both at this port: for messages whose Via names it. */
  readonly callers?: { readonly addresses: readonly [string, string]; readonly port: number }
}

const here = fileURLToPath(new URL('.', import.meta.url))

/** What scripts made of text begin with. */
export const commonInclude = `include_file "${join(here, 'common.inc')}"\n`

/** The same cases against both servers, each with endpoints of its own. */
export function compare(title: string, script: Script, cases: readonly Case[]): void {
  describe(title, () => {
    const lab = new Lab()
    const started: Side[] = []
    let sides: readonly [Side, Side] | null = null
    beforeAll(async () => {
      requireProgram('kamailio', 'kamailio')
      let path = resolve(here, script.file ?? '')
      if (script.text !== undefined) writeFileSync((path = join(lab.directory, 'script.cfg')), script.text)
      const start = async (name: 'kamailio' | 'viaduct') => {
        const side = await startSide(lab, name, path, script)
        started.push(side)
        return side
      }
      sides = await Promise.all([start('kamailio'), start('viaduct')])
    })
    afterAll(async () => {
      // Kamailio's workers outlive a parent that is killed: whatever started, ends by itself.
      await Promise.all(started.map(({ oracle }) => stopOracle(oracle)))
      for (const side of started) for (const endpoint of side.endpoints.values()) endpoint.close()
      await lab.close()
    })
    test.each(cases)('$title', async ({ talk, differs }) => {
      if (sides === null) throw new Error('the servers did not start')
      const [kamailio, viaduct] = await Promise.all([play(sides[0], talk), play(sides[1], talk)])
      expect(viaduct).toBe(expected(kamailio, differs))
    })
  })
}

/** Each probe is a route of one script; the request's `X-Probe` header says which. Afterwards it is forwarded to B. */
export function compareProbes(title: string, prelude: string, probes: readonly Probe[]): void {
  const routes = probes.map(({ script }, index) => `route[P${index}] {\n    ${script}\n}\n`)
  const text = `${commonInclude}#!substdef "!BPORT!$def(B)!g"
#!substdef "!CPORT!$def(C)!g"
${prelude}
request_route {
    force_rport();
    $var(probe) = "P" + $hdr(X-Probe);
    $var(x) = "unset";
    route($var(probe));
    $var(code) = $rc;
    append_hf("X-Code: $var(code)\\r\\n");
    append_hf("X-Value: $var(x)\\r\\n");
    $du = "sip:127.0.0.1:BPORT";
    forward();
}
${routes.join('')}`
  compare(
    title,
    { text },
    probes.map((probe, index) => ({
      title: probe.title ?? probe.script.replaceAll(/\s+/g, ' '),
      differs: probe.differs,
      talk: async ({ send, takeAny }) => {
        const { method = 'MESSAGE', change = (whole: string) => whole } = probe
        const headers = `X-Probe: ${index}\n${probe.headers ?? ''}`
        send('A', change(request(method, 'bob', { ...probe, headers })))
        await takeAny(probe.isSilent ? 150 : 1_000)
      },
    })),
  )
}

async function startSide(
  lab: Lab,
  name: 'kamailio' | 'viaduct',
  path: string,
  { defines, callers }: Script,
): Promise<Side> {
  const address = callers?.addresses[name === 'kamailio' ? 0 : 1]
  const endpoints = await openEndpoints(
    callers && address !== undefined ? { address, port: callers.port } : undefined,
  )
  const ports = { B: endpoints.get('B')?.port ?? 0, C: endpoints.get('C')?.port ?? 0 }
  return { oracle: await startOracle(lab, name, path, { ...ports, ...defines }), endpoints }
}

/** Each replacement must find something: a difference that is gone must leave the list. */
function expected(kamailio: string, differs: Difference | undefined): string {
  let text = kamailio
  for (const [from, to] of differs?.replace ?? []) {
    expect(text, `Kamailio says what we replace: ${differs?.why}`).toMatch(from)
    text = text.replace(from, to)
  }
  return text
}
