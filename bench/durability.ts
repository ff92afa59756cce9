import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { durabilities } from '../src/store/durability.ts'
import { Caller, request } from '../test/wire/caller.ts'
import { Lab } from '../test/wire/lab.ts'
import { startRouter } from '../test/wire/router.ts'

/**
 * What a 200 to REGISTER costs by what it waits for (modparam durability of usrloc): `node bench/durability.ts [DIR]`. From
 * the request to the answer on loopback, one at a time and 64 at a time, each of a user of its own; how many a second; and
 * the processor time of the router. DIR is on the disk that is to be measured; a temporary directory without it.
 */
const alone = 300
const together = 64
const many = 12_800
/** Of /proc: a hundredth of a second. */
const clockTicks = 100
const [place] = process.argv.slice(2)
const script = 'test/wire/scripts/location.cfg'

process.stdout.write(
  '| durability | one alone, ms, median | 99 % | 64 at a time, ms, median | 99 % | a second | CPU, µs each |\n',
)
process.stdout.write('| --- | --- | --- | --- | --- | --- | --- |\n')
for (const durability of durabilities) {
  const lab = new Lab()
  const data = join(place ?? lab.directory, `durability-${process.pid}-${durability}`)
  mkdirSync(data)
  const caller = await Caller.open()
  const defines = { DURABILITY: JSON.stringify(durability) }
  const router = await startRouter(lab, script, {
    data,
    defines,
    args: ['--workers', '1', '--moderation', '0'],
  })
  let users = 0
  const register = async (): Promise<number> => {
    const user = `u${users++}`
    const headers = `Contact: <sip:${user}@127.0.0.1:${caller.port}>\r\n`
    const answer = await caller.ask(
      request(caller, router.port, { method: 'REGISTER', user, headers }),
      router.port,
    )
    if (answer?.status !== 200) throw new Error(`${answer?.status ?? 'no answer'} to a REGISTER`)
    return answer.milliseconds
  }
  const some = async (count: number, width: number): Promise<number[]> => {
    const out: number[] = []
    const lane = async () => {
      for (let n = 0; n < count / width; n++) out.push(await register())
    }
    await Promise.all(Array.from({ length: width }, lane))
    return out.sort((a, b) => a - b)
  }
  await some(2_000, together)
  const single = await some(alone, 1)
  const cpuBefore = cpuOf(router.process.child.pid ?? 0)
  const begun = performance.now()
  const crowd = await some(many, together)
  const seconds = (performance.now() - begun) / 1000
  const cpu = cpuOf(router.process.child.pid ?? 0) - cpuBefore
  const cells = [single, crowd].flatMap((times) => [quantile(times, 0.5), quantile(times, 0.99)])
  const row = [...cells, (many / seconds).toFixed(0), ((cpu / many) * 1e6).toFixed(0)]
  process.stdout.write(`| ${durability} | ${row.join(' | ')} |\n`)
  await router.stop()
  rmSync(data, { recursive: true })
  caller.close()
  await lab.close()
}

function quantile(sorted: readonly number[], share: number): string {
  return (sorted[Math.floor(sorted.length * share)] ?? 0).toFixed(2)
}

/** Seconds of processor time, user and system. */
function cpuOf(pid: number): number {
  const words = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.split(' ') ?? []
  return (Number(words[11]) + Number(words[12])) / clockTicks
}
