import { spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Lab, mainPath, nodePath, projectRoot } from './lab.ts'
import { type RouterOptions, startRouter } from './router.ts'

/** How the native UDP engine is built, and how it is chosen. docs/decisions/0014-native-udp.md. */

describe('native/build.js', () => {
  let directory: string
  const output = () => join(directory, 'native', 'build', 'udp.node')
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'viaduct-build-'))
    mkdirSync(join(directory, 'native'))
    for (const name of readdirSync(join(projectRoot, 'native')).filter((name) => name !== 'build')) {
      cpSync(join(projectRoot, 'native', name), join(directory, 'native', name))
    }
    writeFileSync(join(directory, 'package.json'), '{ "type": "module" }')
    symlinkSync(join(projectRoot, 'node_modules'), join(directory, 'node_modules'))
  })
  afterEach(() => rmSync(directory, { recursive: true, force: true }))

  const build = (environment: Record<string, string> = {}) =>
    spawnSync(process.execPath, [join(directory, 'native', 'build.js')], {
      env: { PATH: process.env['PATH'], ...environment },
      encoding: 'utf8',
    })

  test('builds an addon that loads, without a warning of the compiler', () => {
    const { status, stdout, stderr } = build()
    expect({ status, stdout, stderr }).toEqual({
      status: 0,
      stdout: 'viaduct: the native UDP engine is built\n',
      stderr: '',
    })
    expect(createRequire(import.meta.url)(output())).toHaveProperty('interface')
    const strict = spawnSync(
      'cc',
      [
        ...['-std=gnu11', '-Wall', '-Wextra', '-Werror', '-Wno-unused-parameter', '-O2', '-fsyntax-only'],
        ...['-isystem', join(dirname(nodePath), '..', 'include', 'node')],
        ...['udp.c', 'datagrams.c', 'scan.c'].map((name) => join(directory, 'native', name)),
      ],
      { encoding: 'utf8' },
    )
    expect(strict).toMatchObject({ status: 0, stderr: '' })
  })

  test.each([
    ['without a compiler', { PATH: '/nonexistent' }, /there is no C compiler \(cc, gcc, clang\)/],
    ['with one that fails', { CC: 'false' }, /false failed: /],
  ])('%s it ends well, says so in a line, and leaves nothing of an earlier build', (_, environment, why) => {
    mkdirSync(dirname(output()))
    writeFileSync(output(), 'of another version')
    const { status, stdout, stderr } = build(environment)
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout).toMatch(/^viaduct: no native UDP engine, node:dgram is used instead: .*\n$/)
    expect(stdout).toMatch(why)
    expect(existsSync(output())).toBe(false)
  })
})

describe('the engine', () => {
  let lab: Lab
  beforeEach(() => {
    lab = new Lab()
  })
  afterEach(() => lab.close())

  /** Whatever engine the other tests were asked to run with. */
  const asInstalled = ['env', '-u', 'VIADUCT_UDP']

  async function announced(options: RouterOptions): Promise<unknown> {
    const router = await startRouter(lab, 'routes/minimal.cfg', { wrapper: asInstalled, ...options })
    expect(await router.stop()).toBe(0)
    return router.logLines().find(({ msg }) => / runs /.test(msg))?.['udp']
  }

  test.each<[string, RouterOptions]>([
    ['native (2000 us of moderation)', {}],
    ['native (250 us of moderation)', { args: ['--moderation', '250'] }],
    ['native (no moderation)', { args: ['--moderation', '0'] }],
    ['node:dgram (VIADUCT_UDP says so)', { wrapper: ['env', 'VIADUCT_UDP=dgram'] }],
  ])('the first line of the log says: %s', async (expected, options) => {
    expect(await announced(options)).toBe(expected)
  })

  test('udp_moderation of the script is what holds without the option, within its bound', async () => {
    const path = join(lab.directory, 'moderated.cfg')
    writeFileSync(path, 'udp_moderation=50000\nrequest_route { exit; }\n')
    const router = await startRouter(lab, path, { wrapper: asInstalled })
    expect(await router.stop()).toBe(0)
    expect(router.logLines()[0]?.['udp']).toBe('native (10000 us of moderation)')
  })

  test.each(['-1', '10001', 'x', '1.5'])('--moderation %s is refused', (value) => {
    const { status, stderr } = spawnSync(nodePath, [mainPath, 'run', '--moderation', value], {
      encoding: 'utf8',
    })
    expect(status).toBe(1)
    expect(stderr).toContain('from 0 to 10000')
  })
})
