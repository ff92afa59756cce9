import { mkdirSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Caller, contactsOf, pause, request } from './caller.ts'
import { fill } from './full-disk.ts'
import { Lab, type Process } from './lab.ts'
import { type Router, startRouter } from './router.ts'

/**
 * A device that fails: what the kernel is asked to write comes back with EIO. Twice: a loop device whose backing file
 * cannot grow, so that the disk fails and the file system on it is not full, and strace, which makes the calls of a router
 * that runs fail and succeed again. REGISTER is answered 503 and never a 200 that is not true, lookups go on, one alarm
 * is raised, and all is well again without a restart.
 */
describe('a device that fails', { timeout: 60_000 }, () => {
  let lab: Lab
  let caller: Caller
  let data: string
  beforeEach(async () => {
    lab = new Lab()
    caller = await Caller.open()
    data = join(lab.directory, 'data')
    mkdirSync(data)
  })
  afterEach(async () => {
    caller.close()
    await lab.close()
  })

  const start = (durability: string, wrapper: readonly string[] = []) =>
    startRouter(lab, 'test/wire/scripts/location.cfg', {
      data,
      wrapper,
      defines: { DURABILITY: JSON.stringify(durability) },
    })
  const register = (router: Router, user: string) => {
    const headers = `Contact: <sip:${user}@127.0.0.1:${caller.port}>\r\n`
    return caller.ask(request(caller, router.port, { method: 'REGISTER', user, headers }), router.port, {
      milliseconds: 8_000,
      retryMilliseconds: 500,
    })
  }
  const bindingsOf = async (router: Router, user: string) =>
    contactsOf(await caller.ask(request(caller, router.port, { method: 'REGISTER', user }), router.port))
  const reaches = async (router: Router, user: string) =>
    (await caller.ask(request(caller, router.port, { method: 'MESSAGE', user }), router.port))?.status
  const alarms = (router: Router) => router.logLines().filter(({ msg }) => /store refuses writes/.test(msg))
  const ends = (router: Router) => router.logLines().filter(({ msg }) => /store takes writes again/.test(msg))

  /** Registrations until one is refused: what is written before that is in the kernel's hands. */
  async function registerUntilRefused(router: Router): Promise<string[]> {
    const kept: string[] = []
    for (let n = 0; n < 400; n++) {
      const answer = await register(router, `u${n}`)
      if (answer?.status === 503) return kept
      expect(answer?.status).toBe(200)
      kept.push(`u${n}`)
    }
    throw new Error('the store never refused')
  }

  async function refusesAndServes(router: Router, known: string): Promise<void> {
    for (let n = 0; n < 3; n++) expect((await register(router, `refused${n}`))?.status).toBe(503)
    expect(await bindingsOf(router, known)).toHaveLength(1)
    expect(await reaches(router, known)).toBe(200)
    expect(await reaches(router, 'refused0')).toBe(404)
    // A line of the log takes another way than an answer, and a longer one with several workers.
    await until(() => alarms(router).length > 0)
    expect(alarms(router)).toHaveLength(1)
    expect(alarms(router)[0]?.level).toBe('error')
  }

  async function recovers(router: Router): Promise<number> {
    const from = performance.now()
    let status: number | undefined
    while (status !== 200 && performance.now() - from < 20_000) {
      await pause(100)
      status = (await register(router, 'late'))?.status
    }
    const seconds = (performance.now() - from) / 1000
    expect(status).toBe(200)
    expect(await reaches(router, 'late')).toBe(200)
    await until(() => ends(router).length > 0)
    return seconds
  }

  test.each([
    ['EIO', 'crash'],
    ['EIO', 'power'],
    ['EROFS', 'crash'],
  ])('calls that fail with %s, durability %s', async (error, durability) => {
    const router = await start(durability)
    expect((await register(router, 'early'))?.status).toBe(200)
    const fault = await injecting(router, `error=${error}`)
    await registerUntilRefused(router)
    await refusesAndServes(router, 'early')
    fault.signal('SIGTERM')
    await fault.exited
    const seconds = await recovers(router)
    process.stdout.write(`${error}, ${durability}: 200 again ${seconds.toFixed(1)} s after the device\n`)
    expect(await router.stop()).toBe(0)
  })

  test('what was refused with EIO is not there after a restart, what was answered 200 is', async () => {
    const router = await start('power')
    expect((await register(router, 'early'))?.status).toBe(200)
    const fault = await injecting(router, 'error=EIO')
    const kept = await registerUntilRefused(router)
    expect((await register(router, 'refused'))?.status).toBe(503)
    await router.kill()
    await fault.exited
    const second = await start('power')
    for (const user of ['early', ...kept]) expect(await bindingsOf(second, user), user).toHaveLength(1)
    for (const user of [`u${kept.length}`, 'refused']) {
      expect(await bindingsOf(second, user), user).toEqual([])
    }
    expect(await second.stop()).toBe(0)
  })

  test('a disk that cannot be written any more, under a file system that is not full', async () => {
    const image = join(lab.directory, 'image')
    mkdirSync(image)
    const disk = lab.start(null, 'unshare', ['-m', 'sh', '-c', loopDisk(image, data)])
    await disk.prints(/ready/, 10)
    const router = await start('power', ['nsenter', '-m', '-t', String(disk.child.pid), '--'])
    const inside = `/proc/${disk.child.pid}/root${image}`
    expect((await register(router, 'early'))?.status).toBe(200)
    fill(join(inside, 'filler'))
    const kept = await registerUntilRefused(router)
    await refusesAndServes(router, 'early')
    unlinkSync(join(inside, 'filler'))
    await recovers(router)
    for (const user of kept) expect(await bindingsOf(router, user), user).toHaveLength(1)
    expect(await router.stop()).toBe(0)
  })

  test.each([
    ['memory', 'pwrite64,pwritev', false],
    ['crash', 'pwrite64,pwritev', true],
    ['crash', 'fdatasync', false],
    ['power', 'fdatasync', true],
  ])('what a 200 waits for: durability %s, %s takes 400 ms: %s', async (durability, calls, isWaitedFor) => {
    const router = await start(durability)
    const slow = await injecting(router, 'delay_enter=400000', calls)
    const times: number[] = []
    for (let n = 0; n < 3; n++) {
      // Until what was written before is on the disk.
      await pause(2_500)
      times.push((await register(router, `u${n}`))?.milliseconds ?? 0)
    }
    if (isWaitedFor) expect(Math.min(...times)).toBeGreaterThan(400)
    else expect(Math.min(...times)).toBeLessThan(400)
    slow.signal('SIGTERM')
    await slow.exited
    expect(await router.stop()).toBe(0)
  })

  /** Calls of the router on the files of its store are answered or held up so, until the process that is returned ends. */
  async function injecting(router: Router, effect: string, calls = writes): Promise<Process> {
    const paths = ['viaduct.mdb', 'viaduct.mdb-probe'].flatMap((name) => ['-P', join(data, name)])
    const { pid } = router.process.child
    const strace = lab.start(null, 'strace', [
      '-f',
      '-p',
      String(pid),
      ...paths,
      '-e',
      `trace=${calls}`,
      '-e',
      `inject=${calls}:${effect}`,
    ])
    await strace.prints(/attached/, 10)
    return strace
  }
})

const writes = 'pwrite64,pwritev,write,fdatasync,fsync'

/**
 * An ext2 of 64 MiB on a loop device, whose image has holes, on a tmpfs of 8 MiB: while that is full, a block of the
 * device that was never written cannot be. The device goes with the
 * process.
 */
function loopDisk(image: string, data: string): string {
  return [
    'set -e',
    `mount -t tmpfs -o size=8m none ${image}`,
    `truncate -s 64m ${image}/disk`,
    `mkfs.ext2 -q -m 0 ${image}/disk`,
    `device=$(losetup -f --show ${image}/disk)`,
    `mount $device ${data}`,
    // Let go of when it is unmounted, which is when nobody is in this namespace any more.
    'losetup -d $device',
    'echo ready',
    'exec sleep 100',
  ].join('\n')
}

async function until(isSo: () => boolean): Promise<void> {
  for (let n = 0; n < 500 && !isSo(); n++) await pause(20)
  expect(isSo()).toBe(true)
}
