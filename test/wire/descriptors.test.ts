import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Caller, pause, request } from './caller.ts'
import { Lab } from './lab.ts'
import { startRouter } from './router.ts'

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

const script = `
loadmodule "tm.so"
loadmodule "sl.so"
request_route {
  if ($rm == "OPTIONS") { sl_send_reply("200", "Alive"); exit; }
  $du = "sip:" + $rU + ".example:5060";
  if (!t_relay()) sl_reply_error();
}
`

test('row 61: without a descriptor to spare UDP goes on, names fail, and nothing spins', {
  timeout: 30_000,
}, async () => {
  const path = join(lab.directory, 'descriptors.cfg')
  writeFileSync(path, script)
  const router = await startRouter(lab, path)
  const pid = String(router.process.child.pid)
  const ask = (method: string, user: string) =>
    caller
      .ask(request(caller, router.port, { method, user }), router.port, { milliseconds: 20_000 })
      .then((answer) => answer?.status ?? 0)
  const open = readdirSync(`/proc/${pid}/fd`).map(Number)
  execFileSync('prlimit', ['--pid', pid, `--nofile=${Math.max(...open) + 1}:${Math.max(...open) + 1}`])
  const names = Array.from({ length: 20 }, (_, i) => ask('MESSAGE', `name${i}`))
  expect(await ask('OPTIONS', 'x')).toBe(200)
  const statuses = await Promise.all(names)
  expect(statuses.every((status) => status >= 400)).toBe(true)
  const before = cpuTicks(pid)
  await pause(1_000)
  expect(cpuTicks(pid) - before).toBeLessThan(50)
  expect(await ask('OPTIONS', 'x')).toBe(200)
  expect(await router.stop()).toBe(0)
})

/** Hundredths of a second of the processor, user and system. */
function cpuTicks(pid: string): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.split(' ') ?? []
  return Number(fields[11]) + Number(fields[12])
}
