import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Lab, requireProgram } from './lab.ts'
import { type Router, startRouter } from './router.ts'

/** sipsak's own tests of a registrar: register, send to what was registered, remove. */
describe('sipsak against edge.cfg', { timeout: 60_000 }, () => {
  const lab = new Lab()
  let router: Router
  beforeAll(async () => {
    requireProgram('sipsak', 'sipsak')
    const users = Array.from({ length: 5 }, (_, i) => `sak${i}:secret\n`)
    writeFileSync(join(lab.directory, 'users'), ['sak:secret\n', ...users].join(''))
    router = await startRouter(lab, 'routes/edge.cfg', { defines: { USERS: join(lab.directory, 'users') } })
  })
  afterAll(async () => {
    await router?.stop()
    await lab.close()
  })

  test('OPTIONS is answered', async () => {
    await sipsak(['-s', `sip:${router.address}:${router.port}`])
  })

  test('usrloc mode: registers, is invited, is messaged, for a row of users', async () => {
    await sipsak([
      '-U',
      '-I',
      '-e',
      '4',
      '-b',
      '0',
      '-s',
      `sip:sak@${router.address}:${router.port}`,
      '-a',
      'secret',
    ])
    await sipsak([
      '-U',
      '-M',
      '-e',
      '4',
      '-b',
      '0',
      '-s',
      `sip:sak@${router.address}:${router.port}`,
      '-a',
      'secret',
    ])
  })

  async function sipsak(args: string[]): Promise<void> {
    const process = lab.start(null, 'sipsak', ['-vv', ...args])
    const code = await process.exited
    expect(code, process.output).toBe(0)
  }
})
