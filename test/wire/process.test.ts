import { execFileSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Caller, pause, request } from './caller.ts'
import { Lab, mainPath, nodePath, type Process, projectRoot } from './lab.ts'
import { freePort } from './oracle.ts'
import { startRouter } from './router.ts'

/** The router as a process: what it is started with, how it ends, what it writes, and what it says. */
const script = 'test/wire/scripts/location.cfg'
const scriptPath = join(projectRoot, script)

describe('the process', { timeout: 30_000 }, () => {
  let lab: Lab
  let caller: Caller
  beforeEach(async () => {
    lab = new Lab()
    caller = await Caller.open()
  })
  afterEach(async () => {
    caller.close()
    await lab.close()
  })

  /** A command that ends by itself: its exit code and everything it printed. */
  async function outcome(
    args: readonly string[],
    file = nodePath,
  ): Promise<{ code: number | null; output: string }> {
    const child = lab.start(null, file, args, { cwd: lab.directory })
    const code = await child.exited
    await pause(50)
    return { code, output: child.output }
  }
  const run = (...args: string[]) => outcome([mainPath, 'run', ...args])
  const started = async (...args: string[]): Promise<Process> => {
    const child = lab.start(null, nodePath, [mainPath, 'run', ...args], { cwd: lab.directory })
    await child.prints(/ runs .* on udp:/)
    return child
  }
  const options = (port: number) => caller.ask(request(caller, port, { method: 'OPTIONS', user: 'x' }), port)
  const register = (port: number, user: string) =>
    caller.ask(
      request(caller, port, { method: 'REGISTER', user, headers: `Contact: <sip:${user}@127.0.0.1:9>\r\n` }),
      port,
    )
  /** One line, JSON, at the level `fatal`; its text. */
  function fatal(output: string): string {
    const lines = output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(lines.map(({ level }) => level)).toEqual(['fatal'])
    expect(Object.keys(lines[0])).toEqual(['level', 'time', 'msg'])
    return lines[0].msg
  }

  describe('ends', () => {
    test('SIGTERM under load: what was accepted is finished, new requests get 503, exit code 0 within 5 s', async () => {
      const router = await startRouter(lab, script)
      const callee = await Caller.open()
      await caller.ask(
        request(caller, router.port, {
          method: 'REGISTER',
          user: 'slow',
          headers: `Contact: <sip:slow@127.0.0.1:${callee.port}>\r\n`,
        }),
        router.port,
      )
      callee.onRequest = () => null
      const ask = (method: string, user: string) =>
        caller.ask(request(caller, router.port, { method, user }), router.port, { milliseconds: 4_000 })
      const underWay = Array.from({ length: 50 }, () => ask('MESSAGE', 'slow'))
      await pause(200)
      expect(callee.received.length).toBeGreaterThanOrEqual(50)
      const stoppedAt = performance.now()
      router.process.signal('SIGTERM')
      await pause(100)
      const late = await Promise.all([ask('OPTIONS', 'x'), ask('REGISTER', 'y'), ask('MESSAGE', 'slow')])
      expect(late.map((answer) => answer?.status)).toEqual([503, 503, 503])
      for (const answer of late) expect(answer?.text).toMatch(/^Retry-After: \d/im)
      // The retransmissions of what is under way find somebody who answers now.
      callee.onRequest = () => '200 OK'
      const answers = await Promise.all(underWay)
      expect(answers.filter((answer) => answer?.status === 200)).toHaveLength(50)
      expect(await router.process.exited).toBe(0)
      // Not the whole time that a drain may take: everybody has an answer.
      expect(performance.now() - stoppedAt).toBeLessThan(3_500)
      callee.close()
    })

    test('SIGTERM while nobody answers: 0 within 5 s all the same', async () => {
      const router = await startRouter(lab, script)
      for (let n = 0; n < 20; n++)
        caller.tell(request(caller, router.port, { method: 'INVITE', user: 'blackhole' }), router.port)
      await pause(200)
      const stoppedAt = performance.now()
      expect(await router.stop()).toBe(0)
      expect(performance.now() - stoppedAt).toBeLessThan(5_000)
    })

    test.each(['SIGINT', 'SIGTERM'] as const)(
      'a second signal ends at once: SIGTERM, then %s',
      async (second) => {
        const router = await startRouter(lab, script)
        caller.tell(request(caller, router.port, { method: 'INVITE', user: 'blackhole' }), router.port)
        await pause(200)
        const stoppedAt = performance.now()
        router.process.signal('SIGTERM')
        await router.process.prints(/no new requests/)
        router.process.signal(second)
        expect(await router.process.exited).toBe(1)
        expect(performance.now() - stoppedAt).toBeLessThan(1_000)
      },
    )
  })

  describe('does not start', () => {
    const data = () => join(lab.directory, 'data')

    test('where the port is in use', async () => {
      const holder = createSocket('udp4')
      const port = freePort()
      await new Promise<void>((bound) => holder.bind(port, '127.0.0.1', bound))
      const { code, output } = await run('-f', scriptPath, '-l', `udp:127.0.0.1:${port}`, '--data', data())
      holder.close()
      expect(code).toBe(1)
      expect(fatal(output)).toMatch(/another program uses that port .*ss -lunp/)
      expect(existsSync(data())).toBe(false)
    })

    test.each([
      ['198.51.100.77:5999', /no such address .*advertise/],
      ['nonsuch.invalid', /no address, no interface, and no name/],
      ['nonsuch0', /no address, no interface, and no name/],
      ['udp:127.0.0.1:99999', /write udp:192\.0\.2\.1:5060/],
      ['tls:127.0.0.1:5061', /only udp/],
    ])('on %s', async (listen, why) => {
      const { code, output } = await run('-f', scriptPath, '-l', listen, '--data', data())
      expect(code).toBe(1)
      expect(fatal(output)).toMatch(why)
      expect(existsSync(data())).toBe(false)
    })

    test('with a script that has errors: all of them are said, and nothing is written', async () => {
      const pid = join(lab.directory, 'pid')
      const { code, output } = await run(
        '-f',
        join(projectRoot, 'test/wire/scripts/wrong.cfg'),
        '--data',
        data(),
        '-P',
        pid,
      )
      expect(code).toBe(1)
      for (const word of [
        'nonsuch is unknown',
        'nonsuch_function',
        'NOWHERE',
        'sl_send_replay',
        '$nonsuch',
        '5 errors',
      ]) {
        expect(output).toContain(word)
      }
      expect(existsSync(data())).toBe(false)
      expect(existsSync(pid)).toBe(false)
    })

    test('without its script', async () => {
      const { code, output } = await run('-f', 'nonsuch.cfg', '--data', data())
      expect(code).toBe(1)
      expect(output).toMatch(/nonsuch\.cfg cannot be read/)
      expect(existsSync(data())).toBe(false)
    })

    test('on a data directory that another router has open', async () => {
      const router = await startRouter(lab, script, { data: data() })
      const second = await run('-f', scriptPath, '-l', `udp:127.0.0.1:${freePort()}`, '--data', data())
      expect(second.code).toBe(1)
      expect(fatal(second.output)).toMatch(
        new RegExp(`in use by process ${router.process.child.pid}: .*--data`),
      )
      expect((await register(router.port, 'first'))?.status).toBe(200)
      await router.kill()
      // A crash leaves no lock behind.
      expect(await (await startRouter(lab, script, { data: data() })).stop()).toBe(0)
    })

    test.each([
      [['-u', 'nonsuch'], /knows no user nonsuch/],
      [['-g', 'nonsuch'], /knows no group nonsuch/],
      [['-w', '/nonsuch'], /cannot change to the directory/],
      [['-P', '/nonsuch/pid'], /cannot write the pid file/],
    ])('with %s', async (args, why) => {
      const { code, output } = await run(
        '-f',
        scriptPath,
        '-l',
        `udp:127.0.0.1:${freePort()}`,
        '--memory',
        ...args,
      )
      expect(code).toBe(1)
      expect(fatal(output)).toMatch(why)
    })
  })

  describe('options', () => {
    test('-P: the process id while it runs', async () => {
      const pid = join(lab.directory, 'viaduct.pid')
      writeFileSync(pid, 'what a crash left there, longer than a number')
      const router = await startRouter(lab, script, { args: ['-P', pid] })
      expect(readFileSync(pid, 'latin1')).toBe(`${router.process.child.pid}\n`)
      expect(await router.stop()).toBe(0)
      expect(existsSync(pid)).toBe(false)
    })

    test('-w: the data directory and the pid file are seen from there, the script from here', async () => {
      const port = freePort()
      mkdirSync(join(lab.directory, 'there'))
      writeFileSync(join(lab.directory, 'my.cfg'), readFileSync(scriptPath))
      const router = await started(
        '-f',
        'my.cfg',
        '-l',
        `127.0.0.1:${port}`,
        '-w',
        'there',
        '--data',
        'kept',
        '-P',
        'pid',
      )
      expect((await register(port, 'a'))?.status).toBe(200)
      expect(existsSync(join(lab.directory, 'there/kept/viaduct.mdb'))).toBe(true)
      expect(existsSync(join(lab.directory, 'there/pid'))).toBe(true)
      router.signal('SIGTERM')
      expect(await router.exited).toBe(0)
    })

    test('-u, -g: no root any more once the sockets are open, and the store still writes', async () => {
      const data = join(lab.directory, 'data')
      execFileSync('chmod', ['755', lab.directory])
      // What an earlier start as root left there becomes the user's.
      await (await startRouter(lab, script, { data })).stop()
      const pid = `/run/viaduct-test-${process.pid}.pid`
      const router = await startRouter(lab, script, {
        data,
        args: ['-u', 'nobody', '-g', 'daemon', '-P', pid],
      })
      const status = readFileSync(`/proc/${router.process.child.pid}/status`, 'latin1')
      const nobody = execFileSync('id', ['-u', 'nobody'], { encoding: 'latin1' }).trim()
      expect(status).toMatch(new RegExp(`^Uid:\\s${nobody}\\s${nobody}\\s${nobody}\\s`, 'm'))
      expect(status).toMatch(/^Gid:\s1\s1\s1\s/m)
      expect(status).toMatch(/^Groups:\s(?!0 )/m)
      expect(readFileSync(pid, 'latin1')).toBe(`${router.process.child.pid}\n`)
      expect((await register(router.port, 'kept'))?.status).toBe(200)
      expect(statSync(join(data, 'viaduct.mdb')).uid).toBe(Number(nobody))
      await router.kill()
      const again = await startRouter(lab, script, { data, args: ['-u', 'nobody', '-P', pid] })
      const asked = await caller.ask(
        request(caller, again.port, { method: 'REGISTER', user: 'kept' }),
        again.port,
      )
      expect(asked?.text).toContain('<sip:kept@127.0.0.1:9>')
      expect(await again.stop()).toBe(0)
      // /run belongs to root: what cannot be removed any more is emptied.
      expect(existsSync(pid) ? readFileSync(pid, 'latin1') : '').toBe('')
      execFileSync('rm', ['-f', pid])
    })

    test('-c checks and starts nothing', async () => {
      expect(await run('-c', '-f', scriptPath)).toMatchObject({
        code: 0,
        output: expect.stringMatching(/clean/),
      })
      const wrong = await run('-c', join(projectRoot, 'test/wire/scripts/wrong.cfg'))
      expect(wrong.code).toBe(1)
      expect(wrong.output).toMatch(/5 errors/)
      expect((await run('-c')).output).toMatch(/edge\.cfg|viaduct\.cfg/)
    })

    test("Kamailio's options: each that means nothing here is accepted with a note", async () => {
      const port = freePort()
      const ignored = ['-m', '64', '-M', '8', '-n', '4', '-x', 'fm', '-X', 'fm', '-Y', lab.directory]
      const router = await started(
        '-f',
        scriptPath,
        '-l',
        `127.0.0.1:${port}`,
        '--memory',
        '-E',
        '-DD',
        '-dd',
        ...ignored,
      )
      for (const letter of ['-m', '-M', '-n', '-x', '-X', '-Y']) {
        expect(router.output).toMatch(new RegExp(`"option":"${letter}".*is accepted and has no meaning`))
      }
      expect((await options(port))?.status).toBe(200)
      everyLineIsJson(router.output)
    })

    test('-e: lines for people, in colour', async () => {
      const router = await started('-f', scriptPath, '-l', `127.0.0.1:${freePort()}`, '--memory', '-e')
      expect(router.output).toContain('\u001b[32mINFO')
    })

    test('-A defines a name', async () => {
      const data = join(lab.directory, 'data')
      const quiet = await startRouter(lab, script, { data })
      caller.tell(request(caller, quiet.port, { method: 'INVITE', user: 'nobody' }), quiet.port)
      await quiet.process.prints(/INVITE seen by the script/)
      await quiet.stop()
      // debug=-1: errors only, so the notice is not said. That it started and stopped is said whatever debug is.
      const silent = await startRouter(lab, script, { data, defines: { LEVEL: -1 } })
      const answer = await caller.ask(
        request(caller, silent.port, { method: 'INVITE', user: 'nobody' }),
        silent.port,
      )
      expect(answer?.status).toBe(404)
      await silent.stop()
      expect(silent.process.output).not.toMatch(/INVITE seen/)
      expect(silent.process.output).toMatch(/"stopped"/)
      const loud = await startRouter(lab, script, { data, defines: { LEVEL: 3 } })
      caller.tell('no sip at all, and more than a keepalive', loud.port)
      await loud.process.prints(/"level":"debug".*refused a message/)
      await loud.stop()
      // As in Kamailio, -d outdoes what the script says.
      const both = await startRouter(lab, script, { data, defines: { LEVEL: -1 }, args: ['-d'] })
      caller.tell('no sip at all, and more than a keepalive', both.port)
      await both.process.prints(/"level":"debug".*refused a message/)
      for (const router of [quiet, silent, loud]) everyLineIsJson(router.process.output)
    })
  })

  describe('as people start it', () => {
    const stop = async (child: Process, port: number) => {
      expect((await options(port))?.status).toBe(200)
      // The router itself: npx ends at a signal and leaves what it started running.
      process.kill(Number(/or kill (\d+)/.exec(child.output)?.[1]), 'SIGTERM')
      await child.exited
    }

    test('npm start -- --listen ... -f my.cfg', async () => {
      const port = freePort()
      const child = lab.start(null, 'npm', [
        'start',
        '--',
        '--listen',
        `udp:127.0.0.1:${port}`,
        '-f',
        scriptPath,
        '--memory',
      ])
      await child.prints(/ runs .* on udp:/, 20)
      await stop(child, port)
    })

    test('npx viaduct run my.cfg', async () => {
      const port = freePort()
      const child = lab.start(null, 'npx', [
        'viaduct',
        'run',
        scriptPath,
        '-l',
        `127.0.0.1:${port}`,
        '--memory',
      ])
      await child.prints(/ runs .* on udp:/, 20)
      await stop(child, port)
    })

    test('npx viaduct check file --json', async () => {
      const child = lab.start(null, 'npx', ['viaduct', 'check', 'test/wire/scripts/wrong.cfg', '--json'])
      expect(await child.exited).toBe(1)
      await pause(50)
      const { diagnostics } = JSON.parse(child.output) as {
        diagnostics: { severity: string; code: string }[]
      }
      expect(diagnostics.filter(({ severity }) => severity === 'error')).toHaveLength(5)
      expect(diagnostics.map(({ code }) => code)).toContain('script/unknown-route')
    })
  })

  test('nobody reads its log any more: it goes on', async () => {
    const router = await startRouter(lab, script)
    router.process.child.stderr?.destroy()
    for (let n = 0; n < 5; n++) {
      const answer = await caller.ask(
        request(caller, router.port, { method: 'INVITE', user: 'x' }),
        router.port,
      )
      expect(answer?.status).toBe(404)
    }
    expect(await router.stop()).toBe(0)
  })
})

function everyLineIsJson(output: string): void {
  for (const line of output.split('\n')) {
    if (line === '') continue
    const { level, time, msg } = JSON.parse(line)
    expect(level).toMatch(/^(trace|debug|info|warn|error|fatal)$/)
    expect(Date.parse(time)).toBeGreaterThan(0)
    expect(typeof msg).toBe('string')
  }
}
