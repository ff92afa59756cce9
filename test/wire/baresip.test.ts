import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Lab, type Process, requireProgram } from './lab.ts'
import { freePort } from './oracle.ts'
import { type Router, startRouter } from './router.ts'

/** Two telephones that people use: both register with digest, one calls, the other answers, one hangs up. */
describe('baresip calls baresip through edge.cfg', { timeout: 60_000 }, () => {
  const lab = new Lab()
  let router: Router
  beforeAll(async () => {
    requireProgram('baresip', 'baresip')
    writeFileSync(join(lab.directory, 'users'), 'alice:wonderland\nbob:builder\n')
    router = await startRouter(lab, 'routes/edge.cfg', { defines: { USERS: join(lab.directory, 'users') } })
  })
  afterAll(async () => {
    await router?.stop()
    await lab.close()
  })

  test('registration with digest, a call, its end', async () => {
    const bob = telephone('bob', 'builder', ['-t', '15'])
    await bob.prints(/200 OK/)
    const alice = telephone('alice', 'wonderland', [
      '-e',
      `d sip:bob@${router.address}:${router.port}`,
      '-t',
      '6',
    ])
    await alice.prints(/Call established/)
    await bob.prints(/Call established/)
    // Alice hangs up as she ends, six seconds after her start.
    await bob.prints(/session closed|terminated|Connection reset/i, 15)
    expect(await alice.exited).toBe(0)
  })

  function telephone(user: string, password: string, args: string[]): Process {
    const directory = join(lab.directory, user)
    // baresip takes the port above its own too, for TLS.
    const [listenPort] = [freePort(), freePort()]
    mkdirSync(directory)
    const proxy = `${router.address}:${router.port}`
    const account = `<sip:${user}@${proxy}>;auth_pass=${password};outbound="sip:${proxy};transport=udp";regint=60;answermode=auto`
    writeFileSync(join(directory, 'accounts'), `${account}\n`)
    writeFileSync(join(directory, 'contacts'), '')
    writeFileSync(
      join(directory, 'config'),
      [
        `sip_listen 127.0.0.1:${listenPort}`,
        'module_path /usr/lib/baresip/modules',
        ...['g711.so', 'aubridge.so'].map((name) => `module ${name}`),
        ...['account.so', 'menu.so'].map((name) => `module_app ${name}`),
        ...['audio_source', 'audio_player', 'audio_alert'].map((name) => `${name} aubridge,${user}`),
        '',
      ].join('\n'),
    )
    return lab.start(null, 'baresip', ['-4', '-f', directory, '-v', ...args])
  }
})
