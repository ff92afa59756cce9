import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Lab, requireProgram } from './lab.ts'
import { freePort } from './oracle.ts'
import { type Router, startRouter } from './router.ts'

/**
 * Thousands of registrations, messages, calls and cancelled calls of SIPp against edge.cfg, with digest, and not one
 * lost: SIPp ends with 0 only if every scenario ran to its end.
 */

const users = 100
const callsOfEach = Number(process.env['VIADUCT_SIPP_CALLS'] ?? 2_000)

describe('SIPp against edge.cfg', { timeout: 120_000 }, () => {
  const lab = new Lab()
  const calleePort = freePort()
  let router: Router

  beforeAll(async () => {
    requireProgram('sipp', 'sip-tester')
    const names = Array.from({ length: users }, (_, i) => `u${i}`)
    writeFileSync(join(lab.directory, 'users'), names.map((name) => `${name}:pw-${name}\n`).join(''))
    const rows = names.map((name) => `${name};[authentication username=${name} password=pw-${name}]`)
    writeFileSync(join(lab.directory, 'users.csv'), ['SEQUENTIAL', ...rows, ''].join('\n'))
    router = await startRouter(lab, 'routes/edge.cfg', { defines: { USERS: join(lab.directory, 'users') } })
  })
  afterAll(async () => {
    await router?.stop()
    await lab.close()
  })

  test(`${callsOfEach} REGISTERs, each challenged`, async () => {
    await caller('register.xml', callsOfEach, 400, calleePort)
  })

  test(`${callsOfEach} MESSAGEs to registered users`, async () => {
    const callee = answering('answer.xml')
    await caller('message.xml', callsOfEach, 300)
    callee.signal('SIGKILL')
    await callee.exited
  })

  test(`${callsOfEach} calls: INVITE 180 200 ACK BYE`, async () => {
    const callee = answering('answer.xml')
    await caller('call.xml', callsOfEach, 150)
    callee.signal('SIGKILL')
    await callee.exited
  })

  test(`${callsOfEach} cancelled calls`, async () => {
    const callee = answering('ring.xml')
    await caller('cancel.xml', callsOfEach, 150)
    callee.signal('SIGKILL')
    await callee.exited
  })

  test('and the log has nothing worse than a note', () => {
    const bad = router.logLines().filter(({ level }) => level === 'error' || level === 'fatal')
    expect(bad).toEqual([])
  })

  function answering(scenario: string) {
    return lab.start(null, 'sipp', [
      ...['-sf', path(scenario), '-i', '127.0.0.1', '-p', String(calleePort), '-nostdin', '-nd'],
    ])
  }

  async function caller(scenario: string, count: number, rate: number, port = freePort()): Promise<void> {
    const options: Record<string, string | number> = {
      sf: path(scenario),
      inf: join(lab.directory, 'users.csv'),
      i: '127.0.0.1',
      p: port,
      m: count,
      r: rate,
      l: 500,
      timeout: '40s',
      // SIPp's digest URI names no user unless it is told one; everybody calls u0.
      ...(scenario !== 'register.xml' && { auth_uri: `u0@127.0.0.1:${router.port}` }),
    }
    const args = Object.entries(options).flatMap(([name, value]) => [`-${name}`, String(value)])
    const process = lab.start(null, 'sipp', [
      `127.0.0.1:${router.port}`,
      ...args,
      '-nostdin',
      '-timeout_error',
    ])
    const code = await process.exited
    if (code !== 0) throw new Error(`SIPp ended with ${code}:\n${process.output.slice(-6000)}`)
    expect(/Successful call\D+\d+\D+(\d+)/.exec(process.output.slice(-6000))?.[1]).toBe(String(count))
  }
})

function path(scenario: string): string {
  return fileURLToPath(new URL(`./sipp/${scenario}`, import.meta.url))
}
