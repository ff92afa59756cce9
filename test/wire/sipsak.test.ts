import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Lab, requireProgram } from './lab.ts'
import { type Router, startRouter } from './router.ts'

/**
 * sipsak's tests of a registrar: register, query, remove, over and over, and its parser torture. Its invite and
 * message modes (-U -I, -U -M) end by themselves in Debian's 0.9.8.1, with Kamailio as well: left out.
 */
describe('sipsak against edge.cfg', { timeout: 60_000 }, () => {
  const lab = new Lab()
  let router: Router
  beforeAll(async () => {
    requireProgram('sipsak', 'sipsak')
    writeFileSync(join(lab.directory, 'users'), 'sak:secret\n')
    router = await startRouter(lab, 'routes/edge.cfg', {
      // sipsak 0.9.8 cuts the fifth digit off a port.
      port: 6_000 + (process.pid % 1_000),
      defines: { USERS: join(lab.directory, 'users') },
    })
  }, 30_000)
  afterAll(async () => {
    await router?.stop()
    await lab.close()
  })

  const user = () => `sip:sak@${router.address}:${router.port}`

  test('OPTIONS is answered', async () => {
    await sipsak(['-s', `sip:${router.address}:${router.port}`])
  })

  test('usrloc mode registers, asks for the binding, and removes it, twenty times', async () => {
    for (let i = 0; i < 20; i++) {
      await sipsak(['-U', '-i', '-a', 'secret', '-x', '60', '-s', user()])
      expect(await sipsak(['-U', '-i', '-a', 'secret', '-C', 'empty', '-vv', '-s', user()])).toMatch(
        /expires=/,
      )
      await sipsak(['-U', '-i', '-a', 'secret', '-C', '*', '-x', '0', '-s', user()])
    }
  })

  test('a wrong password does not register', async () => {
    const process = lab.start(null, 'sipsak', ['-U', '-i', '-a', 'guess', '-s', user()])
    expect(await process.exited).not.toBe(0)
  })

  test('random mode: spoilt requests are refused or dropped, and the router goes on', async () => {
    const process = lab.start(null, 'sipsak', [
      '-R',
      '-t',
      '60',
      '-s',
      `sip:${router.address}:${router.port}`,
    ])
    const ended = await Promise.race([
      process.exited,
      new Promise((next) => setTimeout(() => next('running'), 3_000)),
    ])
    if (ended === 'running') {
      process.signal('SIGTERM')
      await process.exited
    }
    await sipsak(['-s', `sip:${router.address}:${router.port}`])
  })

  async function sipsak(args: string[]): Promise<string> {
    const process = lab.start(null, 'sipsak', ['-v', ...args])
    const code = await process.exited
    expect(code, process.output).toBe(0)
    return process.output
  }
})
